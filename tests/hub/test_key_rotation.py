"""A key for exit codes is exchanged while the store is open: no code becomes invalid at any lane, also at one that lags behind."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from contract.exit_code import ExitCodeError
from edge.codes import Keyring
from hub.exit_keys import read_keys
from tests.hub.conftest import Store


def with_keys(store: Store, *names: str) -> dict[str, str]:
    """The hub is started anew with these files; the public keys that it tells its lanes."""
    file = store.folder / "hub.toml"
    listed = ", ".join(f'"{name}"' for name in names)
    file.write_text(
        re.sub(r"key_files = .*", f"key_files = [{listed}]", file.read_text(encoding="utf-8")), encoding="utf-8"
    )
    keys = tuple(store.folder / name for name in names)
    for key in keys[1:]:
        if not key.exists():
            read_keys(file, (key,))  # as an installer makes it beforehand
    store.stop()
    store.settings = store.settings.model_copy(
        update={"exit_code": store.settings.exit_code.model_copy(update={"key_files": keys})})  # fmt: skip
    store.start()
    return dict(store.hub.keys.message(store.settings.store.id).keys)


@pytest.mark.row("C2")
@pytest.mark.row("B5")
def test_three_steps_and_no_code_is_refused_on_the_way(store: Store) -> None:
    """First the new key is told, then it signs, then the old one goes. A lane is one step behind, or cut off since the one before."""
    told = [
        with_keys(store, *names)
        for names in (("old.pem",), ("old.pem", "new.pem"), ("new.pem", "old.pem"), ("new.pem",))
    ]
    kids = [set(keys) for keys in told]
    assert (len(kids[0]), len(kids[1]), kids[1], len(kids[3])) == (1, 2, kids[2], 1)
    issued: list[str] = []
    signers = []
    for step, names in enumerate((("old.pem",), ("old.pem", "new.pem"), ("new.pem", "old.pem"))):
        with_keys(store, *names)
        issued.append(store.sell(f"S-{step}").exit_code)
        signers.append(store.hub.keys.kid)
    assert signers[0] == signers[1] != signers[2]
    now = store.now + timedelta(minutes=1)
    for step, code in enumerate(issued):
        for known in (step, step + 1 if step < 2 else step):  # what a lane may know while this code is shown
            keyring = Keyring(store.settings.store.id, told[known])
            assert keyring.verify(code, now).sale == f"S-{step}"
    late = Keyring(store.settings.store.id, told[3])
    assert late.verify(issued[2], now).sale == "S-2"
    with pytest.raises(ExitCodeError) as refused:  # the old key went: by then codes of its time have expired
        late.verify(issued[0], now)
    assert refused.value.reason == "unknown_key"


@pytest.mark.row("C2")
def test_a_scan_that_was_made_before_the_exchange_still_counts_after_it(store: Store) -> None:
    with_keys(store, "old.pem")
    code = store.sell("S-1").exit_code
    with_keys(store, "new.pem", "old.pem")
    decision = store.scan(code, sale="S-1")[0].data
    assert decision.outcome == "open"
