"""The file of principals: issue, withdraw, verify, and what happens when the file is damaged."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from base64 import b64decode
from pathlib import Path

import pytest

from broker.credentials import Credentials
from broker.errors import CredentialsError
from contract.access import Principal
from contract.messages import Role

DOOR = Principal(Role.AGENT, "door-1")
CLERK = Principal(Role.CLERK, "c01")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "credentials.json"


def test_an_issued_password_verifies_and_nothing_else_does(path: Path) -> None:
    users = Credentials(path)
    password, other = users.issue(DOOR), users.issue(CLERK)
    assert users.verify("agent-door-1", password) == DOOR
    assert users.verify("agent-door-1", password) == DOOR, "remembered"
    for name, wrong in [("agent-door-1", other), ("agent-door-1", ""), ("clerk-c01", password), ("agent-door-2", password),
                        ("agent-", password), ("", ""), ("admin", password), ("agent-+", password)]:  # fmt: skip
        assert users.verify(name, wrong) is None


def test_the_file_is_private_and_holds_no_password(path: Path) -> None:
    users = Credentials(path)
    password = users.issue(DOOR)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert password not in path.read_text()
    assert os.listdir(path.parent) == [path.name], "no temporary file stays"


def test_the_hash_is_the_one_mosquitto_computes(path: Path) -> None:
    users = Credentials(path)
    password = users.issue(DOOR)
    kept = json.loads(path.read_text())["principals"]["agent-door-1"]
    expected = hashlib.pbkdf2_hmac("sha512", password.encode(), b64decode(kept["salt"]), kept["iterations"], 64)
    assert b64decode(kept["password"]) == expected


def test_a_new_password_ends_the_old_one(path: Path) -> None:
    users = Credentials(path)
    first = users.issue(DOOR)
    assert users.verify("agent-door-1", first) == DOOR
    second = users.issue(DOOR)
    assert first != second
    assert users.verify("agent-door-1", first) is None
    assert users.verify("agent-door-1", second) == DOOR


def test_another_process_sees_a_withdrawal(path: Path) -> None:
    hub = Credentials(path)
    password = hub.issue(DOOR)
    broker = Credentials(path)
    assert broker.verify("agent-door-1", password) == DOOR
    assert broker.reload_if_changed() is False
    hub.withdraw(DOOR)
    assert broker.reload_if_changed() is True
    assert broker.verify("agent-door-1", password) is None
    assert DOOR not in broker


def test_withdrawing_nobody_says_so(path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"credentials\.json: there is no user agent-door-1; issue"):
        Credentials(path).withdraw(DOOR)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"format": "other", "principals": {}}',
                                    '{"format": "instore.credentials.v1", "principals": {"agent-+": {}}}',
                                    '{"format": "instore.credentials.v1", "principals": {"agent-a": {"password": "!"}}}'])  # fmt: skip
def test_a_damaged_file_is_named_with_what_to_do(path: Path, damage: str) -> None:
    path.parent.mkdir()
    path.write_text(damage)
    with pytest.raises(CredentialsError, match=r"credentials\.json: this is no file of broker users .*restore it"):
        Credentials(path)


def test_a_folder_in_its_place_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(
        CredentialsError, match=r"credentials\.json: Is a directory; this file holds the broker's users"
    ):
        Credentials(path)


def test_a_second_verification_costs_a_tenth_of_the_first(path: Path) -> None:
    users = Credentials(path)
    password = users.issue(DOOR)

    def once() -> float:
        begun = time.perf_counter()
        assert users.verify("agent-door-1", password) == DOOR
        return time.perf_counter() - begun

    first = once()
    assert min(once() for _ in range(20)) < first / 10
