"""Hostile bytes: whatever a wire, a file or a socket brings, a decoder answers with its declared errors, soon, in bounded
memory. What other rooms fuzz already (advertisements, reader frames, envelope, exit codes, MQTT packets) is not repeated.

`INSTORE_FUZZ=100 pytest tests/fuzz` runs a hundred times as many examples.
"""
