"""The store's policy: TOML files with CEL conditions become a `Policy` that decides and explains every decision.

`tokens`, `condition`  one condition: compiled, checked, and able to say which part of it was nearest to holding
`policy`               the files as a whole
`reload`               the running policy, replaced without a restart
"""
