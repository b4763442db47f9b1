"""The list of used codes of an agent, on its file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from delivery.journal import Journal
from edge.store import MIGRATIONS, EdgeStore

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.row("C2")
def test_a_code_that_somebody_passed_with_is_never_given_free_again(tmp_path: Path) -> None:
    """The late end of another transaction of the same code (simulated store, seed 219) must not free it."""
    journal = Journal(tmp_path / "agent.db", MIGRATIONS)
    store = EdgeStore(journal.db)
    store.use("c1", NOW + timedelta(hours=1), NOW)
    store.hold("c1", False)
    assert not store.is_used("c1")
    store.hold("c1", True)
    store.hold("c1", False)
    assert store.is_used("c1")
    journal.close()
