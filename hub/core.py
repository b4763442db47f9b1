"""The hub's brain without its shell: one message in, effects in the same transaction. No I/O but SQLite, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from config.hub_settings import HubSettings
from contract.envelope import Message
from contract.payloads import AgentStatus, ClientState, CouponKept, HubStatus, LanePassage, LaneScan
from delivery.engine import Tx
from hub.arrivals import Arrivals
from hub.database import alerts, members, times, trace
from hub.eid.resolving import Resolver
from hub.exit_keys import KeyRing
from hub.fleet import Fleet
from hub.forgetting import Forgetting
from hub.giving.giving import Giving
from hub.grants import Grants
from hub.lane_calls import LaneCalls
from hub.lane_reports import LaneReports
from hub.members.secrets import SESSION_DAYS
from hub.members.terminals import Terminals
from hub.offers.offering import Offers
from hub.offers.redeeming import Redeeming
from hub.passages import Passages
from hub.places import Places
from hub.purchases import Purchases
from hub.ranking import RankRun
from hub.recognition import Recognition
from hub.requests import Requests
from hub.rules.policy import Policy
from hub.saying import count
from hub.scans import Scans
from hub.sensing import Sensing
from hub.shopping.carts import Carts
from hub.shopping.exit_numbers import ExitNumbers
from hub.shopping.payments import Payments
from hub.shopping.settlement import Settlement
from hub.visitors import Visitors

COUNTERS_SHOWN = 64
"""As many as `contract.payloads.HubStatus` takes. There are more; `/metrics` has all of them."""
TROUBLE = (
    "quarantined",
    "dropped",
    "codes_",
    "unknown",
    "rules_",
    "sales_refused_",
    "sensing_answers_",
    "terminal_frames_",
    "giving_failed_",
)
"""Beginnings of names of counters that somebody should look into."""


class Hub:
    """All parts together. `handle` is for `delivery.Engine`, `tick` for a clock of about a second."""

    def __init__(
        self, settings: HubSettings, keys: KeyRing, policy: Callable[[], Policy], *, version: str = ""
    ) -> None:
        self.settings, self.keys, self.version = settings, keys, version
        self.counters: Counter[str] = Counter()
        self.places = Places(settings.places)
        self.requests = Requests(settings.alerts, settings.store.zone, policy, self.places, self.counters)
        self.eids = Resolver(self.counters)
        recognition = Recognition(self.eids, self.counters)
        self.arrivals = Arrivals(settings.store.zone, policy, self.requests.on_visit, self.counters, recognition)
        self.visitors = Visitors(settings.store.zone, self.counters)
        self.terminals = Terminals()
        """Whose terminals are connected now."""
        self.giving = Giving(settings, self.terminals.is_there, self.counters)
        self.grants = Grants(settings.store.zone, policy, self.counters)
        self.passages = Passages(settings.store.zone, self.grants, self.counters, self.giving.on_settled)
        self.fleet = Fleet()
        self.scans = Scans(
            settings, keys.public, policy, self.passages, self.grants, self.counters, self.fleet.can_print
        )
        self.purchases = Purchases(settings, keys, policy, self.counters, self.passages.on_sale)
        self.lane_calls = LaneCalls(settings, self.places, self.fleet, self.counters)
        self.lane_reports = LaneReports(settings.store.zone, self.counters)
        self.exit_numbers = ExitNumbers(settings, keys, self.counters)
        self.rank_run = RankRun(settings.store.zone, policy, self.counters)
        self.offers = Offers(settings.store.zone, policy, self.counters, self.requests.recommend)
        self.redeeming = Redeeming(settings.store, policy, self.offers, self.counters)
        self.forgetting = Forgetting(self.requests.withdraw, self.arrivals.forget, self.counters)
        self.sensing = Sensing(settings.sensing, policy, self.requests, self.terminals.is_there, self.counters)
        self.carts = Carts(settings, self.purchases, self.grants, self.terminals.is_there, self.counters)
        self.settlement = Settlement(settings, self.carts, self.purchases, self.counters)
        self.payments = Payments(settings, self.carts, self.purchases, self.counters)
        self.on_terminal: list[Callable[[str, Tx], None]] = [
            self.offers.on_terminal,
            self.giving.on_terminal,
            self.sensing.on_terminal,
            self.carts.on_terminal,
        ]
        """(customer, tx): called when a terminal of hers has connected, to say what is open."""
        self.agents: dict[str, ClientState] = {}
        self._handlers: dict[str, Callable[[Message, Tx], None]] = {
            "sighting": self.arrivals.take,
            "terminal_presence": self.arrivals.on_terminal,
            "visitors_counted": self.visitors.on_counted,
            "lane_scan": self._on_scan,
            "lane_refused": self.passages.on_refused,
            "lane_printed": self.passages.on_printed,
            "lane_opened": self.passages.on_opened,
            "lane_passage": self._on_passage,
            "lane_shown": self.lane_reports.on_shown,
            "lane_incident": self.lane_reports.on_incident,
            "lane_call": self.lane_calls.on_call,
            "alert_answer": self._on_answer,
            "clerk_status": self._on_clerk_status,
            "coupon_kept": self._on_kept,
            "sensing_answer": self.sensing.on_answer,
            "agent_status": self._on_agent_status,
            "agent_heartbeat": self._on_heartbeat,
            "device_status": self.fleet.on_device,
        }

    def handle(self, message: Message, tx: Tx) -> None:
        """Take one message."""
        handler = self._handlers.get(message.channel.name)
        if handler is not None:
            handler(message, tx)

    def _on_scan(self, message: Message, tx: Tx) -> None:
        message = self.exit_numbers.read(message, tx)
        self.scans.on_scan(message, tx)
        assert isinstance(message.data, LaneScan)
        self.carts.on_scan(message.data, tx)

    def _on_passage(self, message: Message, tx: Tx) -> None:
        self.passages.on_passage(message, tx)
        assert isinstance(message.data, LanePassage)
        self.carts.on_passage(message.data.scan, tx)

    def _on_answer(self, message: Message, tx: Tx) -> None:
        if not self.lane_calls.on_answer(message, tx):
            self.requests.on_answer(message, tx)

    def _on_clerk_status(self, message: Message, tx: Tx) -> None:
        self.requests.on_clerk_status(message, tx)
        self.lane_calls.on_clerk_status(message, tx)

    def _on_kept(self, message: Message, tx: Tx) -> None:
        assert isinstance(message.data, CouponKept)
        (self.giving if self.giving.is_of_lane(tx, message.data.coupon) else self.offers).on_kept(message, tx)

    def _on_heartbeat(self, message: Message, tx: Tx) -> None:
        self.fleet.on_heartbeat(message, tx)
        self.arrivals.on_heartbeat(message, tx)

    def _on_agent_status(self, message: Message, tx: Tx) -> None:
        status = message.data
        assert isinstance(status, AgentStatus)
        self.lane_calls.on_agent(message.ids["agent"], self.agents.get(message.ids["agent"]), status.state, tx)
        if len(self.agents) < 1000 or message.ids["agent"] in self.agents:
            self.agents[message.ids["agent"]] = status.state
        count(tx, self.counters, f"agents_{status.state}")

    def say_state(self, tx: Tx, delivery: Counter[str] | None = None) -> None:
        """Retained: the hub is there, with its counters, and the public keys of exit codes."""
        tx.send("exit_keys", self.keys.message(self.settings.store.id))
        self.say_status(tx, delivery)

    def say_status(self, tx: Tx, delivery: Counter[str] | None = None, state: ClientState = ClientState.READY) -> None:
        """Retained: state and counters (those of `delivery`, such as `quarantined`, among them)."""
        tx.send("hub_status", HubStatus(state=state, version=self.version, counters=self.shown(delivery)))

    def shown(self, delivery: Counter[str] | None = None) -> dict[str, int]:
        """Counters by name; trouble first when there are too many."""
        both = Counter(self.counters)
        both.update(delivery or {})
        names = sorted(both, key=lambda name: (not name.startswith(TROUBLE), name))
        return {name: both[name] for name in names[:COUNTERS_SHOWN]}

    def tick(self, tx: Tx) -> None:
        """What time brings: alerts that are over, alerts to be sent again, ranks of a new day."""
        self.requests.tick(tx)
        self.lane_calls.tick(tx)
        self.sensing.tick(tx)
        self.offers.tick(tx)
        self.giving.tick(tx)
        self.rank_run.tick(tx)
        self.forgetting.tick(tx)
        self.payments.tick(tx)
        self.carts.tick(tx)

    def clean(self, tx: Tx) -> int:
        """Delete old traces, and sessions that nobody uses, a bounded number at a time; returns how many. Call now and then."""
        self.forgetting.clean(tx)
        self.payments.clean(tx)
        self.carts.clean(tx)
        self.exit_numbers.clean(tx)
        self.lane_calls.clean(tx, self.settings.trace_days)
        self.giving.clean(tx)
        self.arrivals.clean(tx)
        self.grants.clean(tx)
        unused = members.forget_sessions(tx.db, times.text(tx.utc - timedelta(days=SESSION_DAYS)))
        return unused + trace.forget(tx.db, times.text(tx.utc - timedelta(days=self.settings.trace_days)))

    def open_alerts(self, tx: Tx) -> int:
        """For metrics."""
        return alerts.open_count(tx.db)
