"""The whole language of the store on one page: what is said, where, by whom, to whom.

A row is the only place where a topic is written. Encode and decode (`contract.envelope`), access control
(`contract.access`), the AsyncAPI document (`contract.asyncapi`) and the conformance tests are made from this table
(row C12).

Topics are `instore/{store}/{role}/{id}/…`. The client's own ID stands in a fixed level, so that access control is one
pattern per row. Nothing personal is ever retained. Rows with a `stream` are numbered and acknowledged end to end by
`delivery`; they travel at QoS 0 because that carries its own resend. What any client reads is QoS 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from contract import payloads as p


class Role(StrEnum):
    """Who speaks. A role and an ID make a principal, which has a user name and a password at the broker."""

    AGENT = "agent"
    HUB = "hub"
    CLERK = "clerk"
    CUSTOMER = "customer"
    """A member's terminal. Never at the broker: it speaks the same messages over the hub's WebSocket (decision 0011)."""
    OBSERVER = "observer"
    """May read everything and say nothing: a tester's live view. It sees personal data: give it to nobody else."""


class Stream(StrEnum):
    """Class of a numbered stream. A backlog of sightings never delays an exit scan."""

    CRITICAL = "critical"
    """On disk, synced, before it is sent or acknowledged."""
    SIGHTING = "sighting"
    """Sent at once, on disk in groups; the oldest are dropped, counted and declared when the buffer is full."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of the table: one kind of message on one topic."""

    name: str
    event_type: str
    """CloudEvents `type`, versioned."""
    topic: str
    """Below `instore/{store}/`; `{…}` is one level."""
    payload: type[p.Payload]
    publisher: Role
    subscribers: tuple[Role, ...]
    summary: str
    qos: Literal[0, 1] = 1
    retain: bool = False
    stream: Stream | None = None
    personal: bool = False
    expiry_s: int | None = None
    """After this time nobody needs it: set as MQTT 5 message expiry where the broker speaks 5. Carries no meaning."""
    at_broker: bool = field(init=False)
    """Whether it travels over MQTT; what is said with members' terminals travels over the hub's WebSocket."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_broker", Role.CUSTOMER not in (self.publisher, *self.subscribers))


_AGENT, _HUB, _CLERK, _CUSTOMER = Role.AGENT, Role.HUB, Role.CLERK, Role.CUSTOMER
_CRITICAL, _SIGHTING = Stream.CRITICAL, Stream.SIGHTING


def _row(name: str, version: str, topic: str, payload: type[p.Payload], publisher: Role, to: Role | tuple[Role, ...], summary: str,
         *, qos: Literal[0, 1] = 1, retain: bool = False, stream: Stream | None = None, personal: bool = False,
         expiry_s: int | None = None) -> Channel:  # fmt: skip
    readers = (to,) if isinstance(to, Role) else to
    if Role.CUSTOMER not in (publisher, *readers):
        readers = (*readers, Role.OBSERVER)
    return Channel(name, f"instore.{version}", topic, payload, publisher, readers, summary,
                   0 if stream else qos, retain, stream, personal, expiry_s)  # fmt: skip


# fmt: off
CHANNELS: tuple[Channel, ...] = (
    # --- agent → hub
    _row("agent_status", "agent.status.v1", "agent/{agent}/status", p.AgentStatus, _AGENT, _HUB,
         "The agent is there, has left, or was lost (will).", retain=True),
    _row("agent_heartbeat", "agent.heartbeat.v1", "agent/{agent}/heartbeat", p.AgentHeartbeat, _AGENT, _HUB,
         "Alive, with the depth of its queues.", qos=0, expiry_s=60),
    _row("device_status", "device.status.v1", "agent/{agent}/device/{device}/status", p.DeviceStatus, _AGENT, _HUB,
         "State of one device in UnifiedPOS terms.", retain=True),
    _row("sighting", "sighting.v1", "agent/{agent}/sighting", p.Sighting, _AGENT, _HUB,
         "A beacon arrived, moved or left.", stream=_SIGHTING),
    _row("visitors_counted", "visitors.counted.v1", "agent/{agent}/device/{device}/visitors", p.VisitorsCounted, _AGENT, _HUB,
         "People who passed a counter: visits without an identity.", stream=_SIGHTING),
    _row("lane_scan", "lane.scan.v1", "agent/{agent}/lane/{lane}/scan", p.LaneScan, _AGENT, _HUB,
         "A valid exit code was read.", stream=_CRITICAL),
    _row("lane_refused", "lane.refused.v1", "agent/{agent}/lane/{lane}/refused", p.LaneRefused, _AGENT, _HUB,
         "The lane refused a code by itself.", stream=_CRITICAL),
    _row("lane_printed", "lane.printed.v1", "agent/{agent}/lane/{lane}/printed", p.LanePrinted, _AGENT, _HUB,
         "What became of the coupon's paper.", stream=_CRITICAL),
    _row("lane_shown", "lane.shown.v1", "agent/{agent}/lane/{lane}/shown", p.LaneShown, _AGENT, _HUB,
         "A coupon's code was on the display: read, or not.", stream=_CRITICAL),
    _row("lane_opened", "lane.opened.v1", "agent/{agent}/lane/{lane}/opened", p.LaneOpened, _AGENT, _HUB,
         "The gate took the open command.", stream=_CRITICAL),
    _row("lane_passage", "lane.passage.v1", "agent/{agent}/lane/{lane}/passage", p.LanePassage, _AGENT, _HUB,
         "Somebody passed, or nobody did.", stream=_CRITICAL),
    _row("lane_call", "lane.call.v1", "agent/{agent}/lane/{lane}/call", p.LaneCall, _AGENT, _HUB,
         "A clerk is needed at the lane, or not any more.", stream=_CRITICAL),
    _row("lane_incident", "lane.incident.v1", "agent/{agent}/lane/{lane}/incident", p.LaneIncident, _AGENT, _HUB,
         "Somebody passed, or tried to, without a code.", stream=_CRITICAL),
    _row("receipt_down", "receipt.v1", "agent/{agent}/receipt/down", p.Receipt, _AGENT, _HUB,
         "What the agent has taken of the hub's stream to it.", qos=0),
    # --- hub → agent
    _row("receipt_up", "receipt.v1", "agent/{agent}/receipt/up", p.Receipt, _HUB, _AGENT,
         "What the hub has taken of the agent's streams.", qos=0),
    _row("lane_decision", "lane.decision.v1", "agent/{agent}/lane/{lane}/decision", p.LaneDecision, _HUB, _AGENT,
         "What to give, what to show, whether to open.", stream=_CRITICAL),
    _row("coupon_read", "coupon.read.v1", "agent/{agent}/lane/{lane}/coupon-read", p.CouponRead, _HUB, _AGENT,
         "A terminal has read the coupon's code from the display.", stream=_CRITICAL),
    _row("lane_call_answered", "call.answered.v1", "agent/{agent}/lane/{lane}/call-answered", p.LaneCallAnswered, _HUB, _AGENT,
         "A clerk is coming to the lane, was there, or nobody came.", stream=_CRITICAL),
    _row("exit_keys", "exit.keys.v1", "hub/{hub}/exit-keys", p.ExitKeys, _HUB, _AGENT,
         "Public keys of exit codes, so that a lane checks them alone.", retain=True),
    # --- hub → clerk, clerk → hub
    _row("alert", "alert.v1", "clerk/{clerk}/alert", p.Alert, _HUB, _CLERK,
         "A request to this clerk, in its newest state.", personal=True, expiry_s=3600),
    _row("alert_answer", "alert.answer.v1", "clerk/{clerk}/answer", p.AlertAnswer, _CLERK, _HUB,
         "The clerk accepts, declines, or has served."),
    _row("clerk_status", "clerk.status.v1", "clerk/{clerk}/status", p.ClerkStatus, _CLERK, _HUB,
         "The clerk's handheld is there, or was lost (will).", retain=True),
    # --- hub → whoever looks
    _row("hub_status", "hub.status.v1", "hub/{hub}/status", p.HubStatus, _HUB, (_AGENT, _CLERK),
         "The hub is there, with its counters.", retain=True),
    _row("visit_opened", "visit.opened.v1", "hub/{hub}/visit", p.VisitOpened, _HUB, (),
         "A known customer's first sighting of the day.", personal=True),
    _row("treatment_decided", "treatment.decided.v1", "hub/{hub}/treatment", p.TreatmentDecided, _HUB, (),
         "What a good customer's readings led to, without the readings.", personal=True),
    _row("coupon_issued", "coupon.issued.v1", "hub/{hub}/coupon", p.CouponIssued, _HUB, (),
         "A coupon from purchase history was given, redeemed or taken back.", personal=True),
    _row("incentive_settled", "incentive.settled.v1", "hub/{hub}/incentive", p.IncentiveSettled, _HUB, (),
         "A reserved incentive was committed or released."),
    # --- hub ↔ member's terminal: over the hub's WebSocket
    _row("sensing_request", "sensing.request.v1", "customer/{customer}/sensing/request", p.SensingRequest, _HUB, _CUSTOMER,
         "The store asks for readings.", personal=True),
    _row("sensing_answer", "sensing.answer.v1", "customer/{customer}/sensing/answer", p.SensingAnswer, _CUSTOMER, _HUB,
         "Readings of the terminal, or why there are none.", personal=True),
    _row("member_coupon", "member.coupon.v1", "customer/{customer}/coupon", p.MemberCoupon, _HUB, _CUSTOMER,
         "A coupon in its newest state.", personal=True),
    _row("coupon_kept", "coupon.kept.v1", "customer/{customer}/coupon/kept", p.CouponKept, _CUSTOMER, _HUB,
         "The terminal has kept a coupon.", personal=True),
    _row("cart", "cart.v1", "customer/{customer}/cart", p.Cart, _HUB, _CUSTOMER,
         "Her list while she shops, in its newest state.", personal=True),
    _row("terminal_presence", "terminal.presence.v1", "customer/{customer}/presence", p.TerminalPresence, _CUSTOMER, _HUB,
         "The terminal came into, or left, the store's geofence.", personal=True),
)
# fmt: on

BY_NAME: dict[str, Channel] = {channel.name: channel for channel in CHANNELS}
