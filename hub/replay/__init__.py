"""Rules tried on days that have been: which alerts, which coupons, at what cost (row C8).

The hub's database is copied and taken back to the beginning of those days; then everything that happened is told to the hub's own
parts again, in order and at its time: visits, sales, voids, scans, passages. Once by the rules as they are now, once by those to be
tried. Nothing of the running store is touched, and nobody is told anything.
"""
