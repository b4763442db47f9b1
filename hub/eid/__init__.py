"""Rotating beacons (row C5): identifiers computed from keys that only the beacon and the hub have."""
