"""The newer changes to the hub's tables; append here. Part of `hub.database.schema.MIGRATIONS`."""

from __future__ import annotations

from delivery.journal import Migration

LATER: tuple[Migration, ...] = (
    # Exit codes as numbers, for keypads and one-dimensional codes: what a number means, and until when.
    (
        "hub-14",
        """
        CREATE TABLE exit_number (
            digits TEXT PRIMARY KEY, code TEXT NOT NULL, issued TEXT NOT NULL, expires TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX exit_number_by_code ON exit_number (code, expires);
        CREATE INDEX exit_number_by_time ON exit_number (expires);
        """,
    ),
)
