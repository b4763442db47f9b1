"""The page's JavaScript held to the Python it mirrors: the contract's messages and the book of alerts."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page
from pydantic import ValidationError

from contract import topics
from contract.envelope import decode
from contract.errors import BadMessage
from contract.messages import BY_NAME
from contract.payloads import Alert
from handheld.alert_book import AlertBook, Pending, Rules
from tests.handheld.far_end import STORE, alert, encoded, full_alert
from tests.pages.shop_window import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(handset: BrowserContext) -> Any:
    """The sign-in page; no broker is needed."""
    with served({"store": STORE, "ws_port": 1}) as address:
        own = await handset.new_page()
        await own.goto(address)
        yield own


@pytest.mark.row("C12")
async def test_topics_and_the_messages_that_the_page_sends(page: Page) -> None:
    found = await page.evaluate(
        """async ([store]) => {
          const c = await import("./contract.js");
          const pending = { alert: "a1", answer: "served", id: c.newId(), cause: "m1" };
          return { topics: c.topics(store, "c01"), answer: c.encodeAnswer("c01", pending), status: c.encodeStatus("c01", "ready") };
        }""",
        [STORE],
    )
    rows = {"alert": "alert", "answer": "alert_answer", "status": "clerk_status"}
    for key, name in rows.items():
        assert found["topics"][key] == topics.topic(BY_NAME[name], STORE, clerk="c01")
    assert found["topics"]["hub"] == topics.pattern(BY_NAME["hub_status"], STORE)
    assert decode(found["topics"]["answer"], found["answer"].encode()).cause == "m1"
    assert decode(found["topics"]["status"], found["status"].encode()).data.state == "ready"  # type: ignore[attr-defined]


def _bent(seed: int) -> bytes:
    """An alert with one thing changed, valid or not."""
    chance = random.Random(seed)
    message = json.loads(encoded(full_alert(revision=2, holder="c02"), clerk="c01")[1])
    values = [
        None,
        0,
        -1,
        1,
        2.5,
        "",
        "x",
        "offered",
        "a b",
        "x" * 501,
        [],
        {},
        True,
        {"ja": "x"},
        {"ja": "x", "en": 1},
        "2026-01-02T03:04:05Z",
        2**60,
    ]
    where = chance.choice(
        [message, message["data"], message["data"], message["data"]["customer"], message["data"]["message"]]
    )
    key = chance.choice(sorted(where))
    if chance.random() < 0.25:
        del where[key]
    else:
        where[key] = chance.choice(values)
    return json.dumps(message).encode()


def _strictly_valid(case: bytes) -> bool:
    """Whether it fits without pydantic's good will (`true` for 1, a number for a time), which the page does not share."""
    message = json.loads(case)
    try:
        Alert.model_validate_json(json.dumps(message["data"]), strict=True)
    except ValidationError:
        return False
    times = (message.get("time"), message["data"]["raised"], message["data"].get("expires"))
    return all(value is None or isinstance(value, str) for value in times)


@pytest.mark.row("C12")
async def test_the_page_refuses_what_the_contract_refuses(page: Page) -> None:
    topic = topics.topic(BY_NAME["alert"], STORE, clerk="c01")
    cases = [_bent(seed) for seed in range(600)]
    seen = await page.evaluate(
        """async (cases) => {
          const { decodeAlert } = await import("./contract.js");
          return cases.map((text) => {
            try {
              return decodeAlert(new TextEncoder().encode(text), Date.now());
            } catch (error) {
              return error.reason ?? `crash: ${error}`;
            }
          });
        }""",
        [case.decode() for case in cases],
    )
    both = 0
    for seed, (case, page_says) in enumerate(zip(cases, seen, strict=True)):
        ours, taken = _decoded(topic, case), not isinstance(page_says, str)
        assert taken or page_says in ("schema", "wrong_source"), f"seed {seed}: {page_says}"
        assert ours is not None or not taken, f"seed {seed}: the contract refuses, the page takes {case!r}"
        if ours is not None and (taken or _strictly_valid(case)):
            assert taken, f"seed {seed}: the page refuses {case!r}"
            assert page_says["alert"] == ours.model_dump(mode="json", exclude={"raised", "expires"}), f"seed {seed}"
            both += 1
    assert 50 < both < 550


def _decoded(topic: str, case: bytes) -> Alert | None:
    try:
        return cast(Alert, decode(topic, case).data)
    except BadMessage:
        return None


RULES = {"remind_after_s": 20, "remind_every_s": 10, "reminders": 2, "repeat_after_s": 2, "repeat_at_most_s": 15,
         "repeat_times": 5, "confirm_s": 8, "show_over_s": 30, "keep": 4}  # fmt: skip


def _script(seed: int) -> list[dict[str, Any]]:
    chance, now, steps = random.Random(seed), 1000.0, []
    for number in range(80):
        now += chance.choice([0, 0.25, 1, 5, 12])
        step: dict[str, Any] = {
            "now": now,
            "connected": chance.random() < 0.8,
            "alert": chance.choice("abcdefg"),
            "id": f"m{number}",
        }
        step["op"] = chance.choices(["hear", "answer", "due", "connected", "hub_away"], [8, 4, 6, 1, 1])[0]
        step |= {"revision": chance.randint(1, 6), "waited": chance.choice([-3, 0, 4, 60]),
                 "state": chance.choice(["offered", "offered", "accepted", "declined", "expired", "closed"]),
                 "holder": chance.choice([None, "c01", "c02"]), "answer": chance.choice(["accept", "decline", "served", "not_found", "bought"])}  # fmt: skip
        steps.append(step)
    return steps


def _pending(pending: Pending) -> list[Any]:
    return [pending.alert, pending.answer, pending.id, pending.cause, pending.attempts, pending.at]


def _play(steps: list[dict[str, Any]]) -> list[Any]:
    own, seen = AlertBook("c01", Rules(**RULES)), []
    raised = datetime(2026, 1, 2, tzinfo=UTC)
    for step in steps:
        now, said = step["now"], None
        if step["op"] == "hear":
            copy = alert(
                step["alert"], revision=step["revision"], state=step["state"], holder=step["holder"], raised=raised
            )
            said = own.hear(copy, step["id"], step["waited"], now).value
        elif step["op"] == "answer":
            said = own.answer(step["alert"], step["answer"], step["id"], now) is not None
        elif step["op"] == "connected":
            own.connected(now)
        elif step["op"] == "hub_away":
            own.hub_away()
        due = own.due(now, step["connected"])
        rows = [[e.id, e.status.value, e.alert.revision, e.since, e.confirmed] for e in own.rows(now)]
        seen.append([said, list(due.buzz), [_pending(p) for p in due.send], rows, own.counts.copy(), len(own)])
    return seen


PLAY = """async ([scripts, rules]) => {
  const { AlertBook } = await import("./alert_book.js");
  const pending = (p) => [p.alert, p.answer, p.id, p.cause, p.attempts, p.at];
  return scripts.map((steps) => {
    const book = new AlertBook("c01", rules);
    return steps.map((step) => {
      let said = null;
      const { now } = step;
      if (step.op === "hear") {
        const alert = { alert: step.alert, revision: step.revision, state: step.state, holder: step.holder };
        said = book.hear(alert, step.id, step.waited, now);
      } else if (step.op === "answer") said = book.answer(step.alert, step.answer, step.id, now);
      else if (step.op === "connected") book.connected(now);
      else if (step.op === "hub_away") book.hubAway();
      const due = book.due(now, step.connected);
      const rows = book.rows(now).map((e) => [e.id, e.status, e.alert.revision, e.since, e.confirmed]);
      return [said, due.buzz, due.send.map(pending), rows, { ...book.counts }, book.size];
    });
  });
}"""


@pytest.mark.row("C6")
async def test_both_books_give_the_same_answers_to_the_same_scripts(page: Page) -> None:
    scripts = [_script(seed) for seed in range(40)]
    theirs = await page.evaluate(PLAY, [scripts, RULES])
    for seed, (steps, seen) in enumerate(zip(scripts, theirs, strict=True)):
        for number, (ours, found) in enumerate(zip(_play(steps), seen, strict=True)):
            assert found == ours, f"seed {seed}, step {number}: {steps[number]}"


async def test_both_books_have_the_same_rules(page: Page) -> None:
    found = await page.evaluate("async () => (await import('./alert_book.js')).RULES")
    own = Rules()
    assert found == {name: getattr(own, name) for name in Rules.__dataclass_fields__}


async def test_the_broker_is_found_from_a_phone_too(page: Page) -> None:
    cases = [
        ({"ws_port": 9001}, "http:", "hub.local", "ws://hub.local:9001/mqtt"),
        ({"ws_port": 9001}, "https:", "hub.local", "wss://hub.local:9001/mqtt"),
        ({"ws_url": "wss://mqtt.example/x"}, "https:", "hub.local", "wss://mqtt.example/x"),
        ({"ws_url": "ws://127.0.0.1:9001"}, "http:", "10.0.0.7", "ws://10.0.0.7:9001/"),
        ({"ws_url": "ws://127.0.0.1:9001"}, "http:", "localhost", "ws://127.0.0.1:9001/"),
    ]
    found = await page.evaluate(
        """async (cases) => {
          const { brokerUrl } = await import("./link.js");
          return cases.map(([config, protocol, hostname]) => brokerUrl(config, { protocol, hostname }));
        }""",
        [case[:3] for case in cases],
    )
    assert found == [case[3] for case in cases]
