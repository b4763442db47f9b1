"""Power cuts: every write, truncation, deletion and sync of the database files of a running store, one after another.

- `disk`       what a disk holds after the power has gone: synced bytes, and any part of the others.
- `vfs`        SQLite writing to such a disk (a VFS of apsw), behind the few methods of `sqlite3.Connection` that we use.
- `workload`   a hub and an agent with their real cores talking, selling, scanning, restarting.
- `verdict`    what must be true of the files that come back, and of the store once it has gone on.
- `safeguards` each of them taken out: the proof that the proof bites.
- `enumerate`  `python -m tests.power.enumerate`: all cut points.
"""
