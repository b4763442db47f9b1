"""A clerk is needed at a lane (row B12): what lanes call for becomes a request to a group of clerks, with the life of any alert.

    lane ──call──▶ offered to the group ──accept──▶ the lane's display: somebody is coming ──served──▶ over
                        └── nobody in time ──▶ the display says so      the lane: over by itself ──▶ expired

An agent that is lost can't call. The hub does, when its lanes are silent for `agent_lost_s`, and again (`hub.lost_agents`).

It is about no customer and belongs to no visit, so that it has tables of its own. All times are the wall's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from config.hub_settings import HubSettings
from config.words import Words
from contract.envelope import Message
from contract.payloads import (
    Alert,
    AlertAnswer,
    AlertState,
    Bilingual,
    ClerkStatus,
    ClientState,
    LaneCall,
    LaneCallAnswered,
)
from delivery.engine import Tx
from hub.alert_life import AlertLife, Verdict
from hub.asked import works_here
from hub.database import clerks, lanes, times
from hub.database import lane_calls as table
from hub.database.alerts import Offer
from hub.database.lane_calls import CallRow
from hub.days import plausible, store_day
from hub.fleet import Fleet
from hub.lost_agents import LostAgents
from hub.places import Places
from hub.saying import count, decided, heard, say

NEWS_PERIODS = 3
ACCEPTED_MAX = timedelta(hours=1)
"""A call that a clerk has accepted, and of which nobody ever heard again."""
WAS_THERE = timedelta(days=1)
AWAY = "agent_away"
"""The reason of the hub's own calls; no lane says it."""
CALL = Words(ja="{lane} に係員が必要です: {why}", en="A clerk is needed at {lane}: {why}")
WHY: dict[str, Words] = {
    "help": Words(ja="お客様が呼んでいます", en="a customer has pressed the help button"),
    "gate": Words(ja="ゲートが開かないか、故障しています", en="the gate does not open or is out of order"),
    "printer": Words(ja="プリンターを確認してください(用紙・カバー)", en="look at the printer (paper, cover)"),
    "no_decision": Words(ja="本部と通信できず、退店できないお客様がいます", en="the hub does not answer, and a customer can't leave"),
    "stuck": Words(ja="ゲートが応答しません。お客様を確認してください", en="the gate fell silent while somebody passed"),
    AWAY: Words(ja="レーンの装置が応答しません。お客様を確認してください", en="its computer does not answer; customers may wait there"),
    "out_of_order": Words(ja="コードリーダーが使えません", en="the code reader is out of order"),
}  # fmt: skip


class LaneCalls:
    """All calls of the store's lanes."""

    def __init__(self, settings: HubSettings, places: Places, fleet: Fleet, counters: Counter[str]) -> None:
        self._lane, self._alerts, self._zone = settings.lane, settings.alerts, settings.store.zone
        self._places, self._fleet, self._counters = places, fleet, counters
        self._lost = LostAgents(timedelta(seconds=settings.lane.agent_lost_s))
        self._group = settings.lane.call_group or settings.alerts.escalate_to

    # --- the lane speaks

    def on_call(self, message: Message, tx: Tx) -> None:
        """A lane calls, or needs nobody any more. The same again changes nothing."""
        call = message.data
        assert isinstance(call, LaneCall)
        agent, lane = message.ids["agent"], message.ids["lane"]
        alert = alert_id(agent, lane, call.call)
        known = table.read(tx.db, alert)
        said = "over" if call.over else "a clerk is needed"
        heard(
            tx, message, known.alert if known else alert, f"lane {agent}/{lane}: {said}, {call.reason}: {call.detail}"
        )
        if call.over:
            self._over(tx, known, message.id, call.detail)
        elif known is None:
            self._raise(tx, alert, call, message)

    def _raise(self, tx: Tx, alert: str, call: LaneCall, message: Message) -> None:
        agent, lane = message.ids["agent"], message.ids["lane"]
        # A clock that was never set, and has not heard the hub's yet: somebody waits now.
        since = plausible(call.since, tx.utc) or tx.utc
        self._offer(tx, alert, agent, lane, call.call, call.reason, call.detail, since, message.id)

    def _offer(self, tx: Tx, alert: str, agent: str, lane: str, call: str, reason: str, detail: str, since: datetime,
               cause: str) -> None:  # fmt: skip
        count(tx, self._counters, "lane_calls")
        count(tx, self._counters, f"lane_calls_{reason}")
        day, patience = store_day(tx.utc, self._zone), timedelta(seconds=self._lane.call_expire_s)
        late = tx.utc - since > patience
        group = () if late or not self._group else tuple(
            Offer(clerk, "group") for clerk in clerks.group(tx.db, self._group, day))  # fmt: skip
        row = CallRow(alert, agent, lane, call, reason, detail, times.text(since), day, "offered" if group else "expired", None,
                      None, 1, times.text(tx.utc), times.text(tx.utc + patience), times.text(tx.utc), cause)  # fmt: skip
        table.add(tx.db, row, group)
        if not group:
            count(tx, self._counters, "lane_calls_late" if late else "lane_calls_without_clerk")
            why = "the news came too late" if late else f"nobody is in the group {self._group}"
            self._tell_lane(tx, row, "nobody", "", f"nobody is asked: {why}")
            return
        self._send(tx, row, table.offers(tx.db, alert), None, f"a clerk is needed at {agent}/{lane}")

    def _over(self, tx: Tx, row: CallRow | None, cause: str, why: str) -> None:
        if row is None:
            return
        life = _life(row, table.offers(tx.db, row.alert))
        if life.is_open:
            count(tx, self._counters, "lane_calls_over")
            self._change(tx, row, life.expire(), cause, f"over: {why}")

    # --- a lane that can't speak

    def on_agent(self, agent: str, before: ClientState | None, state: ClientState, tx: Tx) -> None:
        """An agent is there, has left, or was lost (its will)."""
        if state is ClientState.LOST:
            if before is ClientState.READY or (before is None and self._was_there(tx, agent)):
                tx.after_commit(lambda: self._lost.went(agent, tx.utc))
        else:
            tx.after_commit(lambda: self._lost.is_back(agent))
            for row in table.open_of(tx.db, agent, AWAY):
                self._over(tx, row, row.cause or row.alert, "its computer answers again")

    def _was_there(self, tx: Tx, agent: str) -> bool:
        """Before this hub began. Machines that were taken away years ago leave a retained word too: a lane was used lately."""
        return lanes.used_since(tx.db, agent, times.text(tx.utc - WAS_THERE))

    def _call_for_the_lost(self, tx: Tx) -> None:
        for agent, lost in self._lost.due(tx.utc):
            if not self._fleet.has_lanes(agent):
                continue
            open_now = table.open_of(tx.db, agent, AWAY)
            if not open_now:
                self._raise_away(tx, agent, lost.since)
            tx.after_commit(partial(self._lost.in_hand if open_now else self._lost.called, agent, tx.utc))

    def _raise_away(self, tx: Tx, agent: str, since: datetime) -> None:
        call = f"away-{tx.utc:%Y%m%dT%H%M%S}"
        alert = alert_id(agent, AWAY, call)
        cause = decided(tx, alert, alert, "called", f"{agent} is lost since {times.text(since)}, and drives lanes")
        self._offer(tx, alert, agent, "", call, AWAY, f"since {times.text(since)}", tx.utc, cause)

    # --- clerks answer

    def on_answer(self, message: Message, tx: Tx) -> bool:
        """A clerk answers; False when it is no call of a lane."""
        said = message.data
        assert isinstance(said, AlertAnswer)
        row = table.read(tx.db, said.alert)
        if row is None:
            return False
        clerk, offers = message.ids["clerk"], table.offers(tx.db, row.alert)
        life, verdict = _life(row, offers).answer(clerk, said.answer)
        heard(tx, message, row.alert, f"{clerk}: {said.answer} ({verdict})")
        if verdict is Verdict.CHANGED:
            count(tx, self._counters, f"lane_calls_{life.outcome or life.state}")
            self._change(tx, row, life, message.id, f"{life.outcome or life.state} by {clerk}")
            name = next((offer.name or offer.clerk for offer in offers if offer.clerk == life.holder), "")
            self._tell_lane(tx, row, _TOLD[life.state], name, f"{_TOLD[life.state]}: {name}".rstrip(": "))
            return True
        if verdict is not Verdict.SAME:
            count(tx, self._counters, f"alert_answers_{verdict}")
        own = tuple(offer for offer in offers if offer.clerk == clerk)
        self._send(tx, row, offers, own, f"the true state is {row.state}", cause=message.id)
        return True

    def on_clerk_status(self, message: Message, tx: Tx) -> None:
        """A handheld came back: what is open is shown to it, and the end of what it may still show."""
        status = message.data
        assert isinstance(status, ClerkStatus)
        if status.state is not ClientState.READY:
            return
        clerk = message.ids["clerk"]
        for row in table.of_clerk(tx.db, clerk, self._news_since(tx.utc)):
            offers = table.offers(tx.db, row.alert)
            self._send(tx, row, offers, tuple(offer for offer in offers if offer.clerk == clerk), None)

    # --- in time

    def tick(self, tx: Tx) -> None:
        """Lanes that were lost; the end of what nobody took; the open ones again. About once a second."""
        now = tx.utc
        self._call_for_the_lost(tx)
        for row in table.past(tx.db, times.text(now), times.text(now - ACCEPTED_MAX)):
            count(tx, self._counters, "lane_calls_expired")
            self._change(tx, row, _life(row, table.offers(tx.db, row.alert)).expire(), row.cause, "nobody came in time")
            self._tell_lane(tx, row, "nobody", "", "nobody came in time")
        before = times.text(now - timedelta(seconds=self._alerts.reoffer_s))
        for row in table.to_send_again(tx.db, before, self._news_since(now)):
            table.sent(tx.db, row.alert, times.text(now))
            self._send(tx, row, table.offers(tx.db, row.alert), None, None)

    def clean(self, tx: Tx, days: int) -> None:
        """Old calls and incidents go; call now and then."""
        table.forget(tx.db, store_day(tx.utc - timedelta(days=days), self._zone), 1000)

    def _news_since(self, now: datetime) -> str:
        return times.text(now - timedelta(seconds=NEWS_PERIODS * self._alerts.reoffer_s))

    # --- said

    def _change(self, tx: Tx, row: CallRow, life: AlertLife, cause: str | None, summary: str) -> None:
        new = replace(row, state=life.state, holder=life.holder, outcome=life.outcome, revision=life.revision,
                      changed=times.text(tx.utc), cause=cause)  # fmt: skip
        table.change(tx.db, new, life.declined)
        self._send(tx, new, table.offers(tx.db, row.alert), None, summary)

    def _tell_lane(self, tx: Tx, row: CallRow, state: Literal["called", "coming", "served", "nobody"], name: str,
                   summary: str) -> None:  # fmt: skip
        if row.reason == AWAY:
            return  # it would hear it when it is over
        data = LaneCallAnswered(call=row.call, state=state, clerk_name=name[:500])
        say(tx, "lane_call_answered", data, summary, visit=row.alert, cause=row.cause, agent=row.agent, lane=row.lane)

    def _send(self, tx: Tx, row: CallRow, offers: tuple[Offer, ...], to: tuple[Offer, ...] | None, summary: str | None,
              *, cause: str | None = None) -> None:  # fmt: skip
        life, place = _life(row, offers), self._name(row)
        words = WHY[row.reason]
        data = Alert(
            alert=row.alert,
            kind="lane",
            state=life.state,
            role="group",
            holder=life.holder,
            holder_name=next((offer.name for offer in offers if offer.clerk == life.holder), "")[:500],
            outcome=life.outcome,
            message=Bilingual(
                ja=CALL.fill(lane=place.ja, why=words.ja).ja, en=CALL.fill(lane=place.en, why=words.en).en
            ),
            place=f"{place.ja} / {place.en}"[:500],
            expires=times.time(row.expires),
            raised=times.time(row.raised),
            revision=life.revision,
        )
        for offer in works_here(offers if to is None else to, store_day(tx.utc, self._zone)):
            own = data.model_copy(update={"state": life.seen_by(offer.clerk)})
            if summary is None:
                tx.send("alert", own, visit=row.alert, cause=row.cause, clerk=offer.clerk)
            else:
                said = f"to {offer.clerk} (group): {summary}"
                say(tx, "alert", own, said, visit=row.alert, cause=cause or row.cause, clerk=offer.clerk)

    def _name(self, row: CallRow) -> Words:
        place = self._places.place(row.agent)
        if not row.lane:
            return place
        return Words.model_construct(ja=f"{place.ja} レーン{row.lane}", en=f"{place.en}, lane {row.lane}")


_TOLD: dict[AlertState, Literal["called", "coming", "served", "nobody"]] = {
    AlertState.OFFERED: "called",
    AlertState.ACCEPTED: "coming",
    AlertState.DECLINED: "nobody",
    AlertState.CLOSED: "served",
    AlertState.EXPIRED: "nobody",
}


def alert_id(agent: str, lane: str, call: str) -> str:
    """The same call has the same ID; it fits a topic level whatever the lane's name is."""
    return f"l-{hashlib.sha256(f'{agent}|{lane}|{call}'.encode()).hexdigest()[:16]}"


def _life(row: CallRow, offers: tuple[Offer, ...]) -> AlertLife:
    return AlertLife(
        frozenset(offer.clerk for offer in offers),
        AlertState(row.state),
        row.holder,
        row.revision,
        frozenset(offer.clerk for offer in offers if offer.declined),
        row.outcome,  # type: ignore[arg-type]
    )
