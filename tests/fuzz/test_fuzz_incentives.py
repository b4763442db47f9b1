"""What a manager may write about incentives, and what a till may type: a sentence or a decision, never an error (rows B7, B8)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.incentives import IncentivesFile
from config.load import SettingsError, parse, read_toml
from hub import coupons
from hub.offers.redeeming import normal
from hub.rules import incentives
from hub.rules.condition import Condition, ConditionError
from hub.rules.granting import decide
from hub.rules.incentives import Incentives, Out
from hub.rules.policy import CUSTOMER, PURCHASE
from tests.fuzz.limits import often, soon
from tests.fuzz.test_fuzz_files import NAMES, finite, settings_text, short

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "incentives.toml"
LEVELS = {"regular": 0, "silver": 1, "gold": 2}
WORDS = ["[[incentive]]", "name", "when", "=", '"true"', '"x"', "kind", '"discount"', "table", "[[0, 1]]", "[[1, 2], [3]]", "by_paying", "{",
         "}", "every", "{exits=0}", "per_customer", "{count=1, period='day'}", "give", "[]", '["print"]', "budget_minor", "-1", "9999999999999",
         "combine", '"best"', "\n", "\n", "percent", "100", "title", "{ja='{amount}',en='{x}'}"]  # fmt: skip


@pytest.mark.row("B7")
def test_any_file_is_rules_or_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "incentives.toml"

    @often(150)
    @given(
        settings_text(EXAMPLE.read_text(encoding="utf-8"))
        | st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join).map(str.encode)
    )
    def run(raw: bytes) -> None:
        path.write_bytes(raw)
        with soon(3.0):
            try:
                file = parse(read_toml(path), IncentivesFile, path)
            except SettingsError as error:
                short(*error.problems)
                return
            assert finite(file)
            for rule in file.incentive:
                assert isinstance(incentives.table_problem(rule, {**CUSTOMER, **PURCHASE}, LEVELS), str)

    run()


ODD_TITLES = st.text(max_size=20).filter(bool) | st.sampled_from(
    ["{amount}", "{percent}%{points}{product}{minimum}", "{{", "😀" * 30]
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Rules of odd shapes; many are refused."""
    some = {
        "kind": st.sampled_from(["discount", "points", "product"]),
        "amount_minor": st.integers(-1, 10**12),
        "percent": st.integers(0, 101),
        "points": st.integers(0, 10**12),
        "product": st.text(max_size=9),
        "table": st.lists(
            st.tuples(NUMBERS | st.sampled_from(["gold", "silver"]), st.integers(0, 10**12) | st.just("P")), max_size=3
        ),
        "by": st.sampled_from(["amount", "rank", "exits", "paid_on", "nothing"]),
        "by_paying": st.dictionaries(
            st.sampled_from(["settlement", "terminal_payment", "terminal"]), st.integers(0, 200)
        ),
        "of": st.sampled_from(["percent", "points", "product", "amount_minor"]),
        "every": st.sampled_from([{"exits": 3}, {"terminal_payments": 1}, {}]),
        "minimum_minor": st.integers(0, 10**12),
        "worth_minor": st.integers(0, 10**12),
        "budget_minor": st.integers(1, 10**12),
        "budget_count": st.integers(0, 10**9),
        "per_customer": st.sampled_from([{"count": 1}, {"count": 0}]),
        "valid_days": st.integers(1, 3650),
        "valid_from": st.sampled_from(["next_purchase", "next_day"]),
    }
    made = {key: draw(value) for key, value in some.items() if draw(st.integers(0, 3)) == 0 or key == "kind"}
    return {"when": draw(st.sampled_from(["true", "amount > 0", "1 / exits > 0", "rank >= gold"])), "title": {"ja": draw(ODD_TITLES), "en": draw(ODD_TITLES)},
            "give": ["display", "app"], **made}  # fmt: skip


@pytest.mark.row("B7")
@pytest.mark.row("B8")
@often(300)
@given(st.lists(rules(), max_size=4), st.sampled_from(["first", "best", "sum"]),
       st.fixed_dictionaries({name: NUMBERS if isinstance(sample, int) and not isinstance(sample, bool) else st.sampled_from(["terminal", "settlement"])
                              for name, sample in {**CUSTOMER, **PURCHASE}.items() if name != "member"}), st.booleans(), NUMBERS)  # fmt: skip
def test_any_rules_decide_and_the_grant_can_be_sent(
    drawn: list[dict[str, Any]], combine: str, values: dict[str, Any], member: bool, out: int
) -> None:
    try:
        file = IncentivesFile.model_validate(
            {"combine": combine, "incentive": [{"name": f"r{n}", **rule} for n, rule in enumerate(drawn)]}
        )
    except ValueError:
        return
    if any(incentives.table_problem(rule, {**CUSTOMER, **PURCHASE}, LEVELS) for rule in file.incentive):
        return
    try:
        compiled = Incentives(file, tuple(Condition(rule.when, NAMES) for rule in file.incentive), LEVELS)
    except ConditionError:
        return
    with soon():
        values = {**values, "amount": abs(values["amount"]) % 10**12, "member": member}
        found = decide(
            compiled,
            values,
            lambda _, __: Out(abs(out), abs(out), abs(out)),
            now=datetime(2026, 3, 1, tzinfo=UTC),
            zone=ZoneInfo("Asia/Tokyo"),
        )
        assert all(rule.name in str(found) for rule in file.incentive)
        if found.grant is not None:
            row = coupons.reserve(
                found.grant,
                coupon="K0",
                code="c",
                scan="s",
                sale="S",
                customer=None,
                now=datetime(2026, 3, 1, tzinfo=UTC),
            )
            message = coupons.as_message(row, [])
            assert message.model_dump_json()


SPACES = st.sampled_from(["", " ", "-", "\u3000", "\u2013", "\t"])


@pytest.mark.row("B8")
@often(300)
@given(
    st.text("0123456789ABCDEF", min_size=16, max_size=16),
    st.lists(SPACES, min_size=17, max_size=17),
    st.booleans(),
    st.text(max_size=70),
)
def test_however_it_is_typed(digits: str, between: list[str], low: bool, anything: str) -> None:
    coupon = f"K{digits}"
    typed = "".join(a + b for a, b in zip(coupon, between, strict=True))
    assert normal(typed.lower() if low else typed) == coupon
    assert normal(f"COUPON:{typed}") == coupon
    assert not any(sign.isspace() for sign in normal(anything))
