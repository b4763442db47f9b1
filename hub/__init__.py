"""The store's brain: customers, rules, decisions, database, web pages, API. Knows no hardware.

`service` is the parts list; `core` hands each message to the part it concerns. The policy is in `rules`, all SQL in
`database`.
"""
