"""All SQL of the hub, one module per subject; functions take the connection and know no rule.

Money is integer minor units; times are UTC as RFC 3339 text; days are those of the store's time zone.
"""
