"""All safeguards: what each is called, how it is taken out, and within how many seeds that is caught (issue 3, point 2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from simulation.plan import Size
from simulation.safeguards import in_calls, in_delivery, in_giving, in_hub, in_lanes, in_service, in_shopping

LIMIT = 200
"""Within so many seeds a missing safeguard is caught, if it does not say otherwise."""

SIZE = Size(customers=15, hours=0.1, faults=250)
"""A small store in a few bad minutes: more happens in a second of processor time than in a quarter of an hour."""
QUARTER = Size(faults=100)
"""A request to clerks lives longer than that."""
TROUBLE = Size(customers=15, hours=0.1, faults=500)
"""Devices are out of order all the time."""
SERVICE = Size(customers=30, hours=0.12, faults=60, tricks=1.5)
"""More people, and odder ones."""

Out = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Safeguard:
    """What it is called, and how it is taken out."""

    name: str
    what: str
    out: Out
    limit: int = LIMIT
    """Within so many seeds it is caught when it is missing."""
    size: Size = SIZE


SAFEGUARDS = (
    Safeguard("number check", "a receiver takes every number", in_delivery.no_number_check),
    Safeguard("gap check", "a receiver takes a number after a gap", in_delivery.gaps_are_taken),
    Safeguard("single transaction", "marks are written in a transaction of their own, after the effects", in_delivery.marks_in_their_own_transaction),
    Safeguard("acknowledge after commit", "a receiver acknowledges when it has handled, before the commit", in_delivery.acknowledged_before_commit),
    Safeguard("on disk before it is said", "critical messages reach the disk in groups, as sightings do", in_delivery.not_on_disk_before_it_is_said),
    Safeguard("synced commits", "synchronous=OFF, and every kill is a loss of power", in_delivery.commits_not_synced),
    Safeguard("mark persistence", "marks of what was taken only in memory", in_delivery.marks_in_memory_only),
    Safeguard("epoch per start", "one epoch for ever, numbers from 1 at each start", in_delivery.one_epoch_for_ever),
    Safeguard("resend", "what was lost on the way is never sent again", in_delivery.never_sent_again),
    Safeguard("kept until acknowledged", "what was sent leaves the outbox", in_delivery.forgotten_when_sent),
    Safeguard("memory follows the disk", "a transaction that comes to nothing is not undone in memory", in_delivery.memory_does_not_follow_the_disk),
    Safeguard("effect ID at the printer", "a job in doubt is printed again without evidence", in_lanes.blind_reprint),
    Safeguard("paper on disk first", "a print job is not noted before it is begun", in_lanes.paper_not_noted_before_it_is_begun),
    Safeguard("paper in doubt is told", "paper that a fire alarm interrupts is not told", in_lanes.interrupted_paper_not_told),
    Safeguard("gate command number", "each try at the gate gets a new number", in_lanes.each_try_a_new_command),
    Safeguard("used-code list of the lane", "a lane forgets which codes were used", in_lanes.no_list_of_used_codes),
    Safeguard("lane state on disk", "a lane's state only in memory", in_lanes.lane_state_in_memory_only),
    Safeguard("going on", "a lane begins anew after a restart", in_lanes.nothing_goes_on_after_a_restart),
    Safeguard("gate counters on disk", "the gate's counters only in memory", in_lanes.gate_counters_in_memory_only),
    Safeguard("passage as evidence", "an opening that nobody used is told as a passage", in_lanes.opening_taken_for_passing),
    Safeguard("late word of the gate", "only the newest transaction waits for a silent gate", in_lanes.only_the_last_silent_transaction, size=TROUBLE),
    Safeguard("patience with paper", "a lane waits for paper without end", in_lanes.no_patience_with_paper),
    Safeguard("offline policy", "a lane waits for the hub without end", in_lanes.no_offline_policy),
    Safeguard("reservation", "a code that one lane holds is given to another", in_hub.no_reservation),
    Safeguard("used codes at the hub", "the hub opens for a used code", in_hub.no_used_codes_at_the_hub),
    Safeguard("use counts once", "a second passage with a code counts as an exit again", in_hub.use_is_not_checked),
    Safeguard("one coupon a code", "each scan of a code brings a new coupon", in_hub.a_coupon_for_every_scan),
    Safeguard("paper is known", "the hub forgets that a coupon was printed", in_hub.paper_is_forgotten),
    Safeguard("release", "what was reserved is never released", in_hub.nothing_is_released),
    Safeguard("alerts are state", "an alert is sent once", in_hub.alerts_sent_once, size=QUARTER),
    Safeguard("presence by start", "whom an agent heard before its restart stays heard", in_hub.presence_of_a_former_start),
    Safeguard("one visit a day", "a customer heard at another door comes again", in_hub.a_visit_at_every_door),
    Safeguard("repeated posts", "a sale that is posted again is booked again", in_hub.posts_booked_twice),
    Safeguard("consent to be recognised", "anybody is recognised on arrival", in_service.anybody_is_recognised, size=SERVICE),
    Safeguard("consent to readings", "anybody's terminal is asked for readings", in_service.everybody_is_asked, size=SERVICE),
    Safeguard("consent taken back", "a consent counts also after it was taken back", in_service.withdrawn_consent_counts, size=SERVICE),
    Safeguard("own answers only", "a terminal may answer for somebody else", in_service.answers_for_others, size=SERVICE),
    Safeguard("sensing deadline", "an answer counts however late it comes", in_service.late_answers, size=SERVICE),
    Safeguard("readings not stored", "the record of a decision holds the readings", in_service.readings_in_the_trace, size=SERVICE),
    Safeguard("refused frames not kept", "what a terminal says is kept when it is refused", in_service.refused_frames_kept, size=SERVICE),
    Safeguard("holder of an alert", "a clerk may take over what another one holds", in_service.anybody_takes_it_over, size=SERVICE),
    Safeguard("nothing that is over", "a handheld that comes back hears of all", in_service.what_is_over_is_told, size=QUARTER),
    Safeguard("same clerks", "a special treatment is asked of all clerks", in_service.treatments_to_everybody, size=SERVICE),
    Safeguard("window of rotating beacons", "an identifier is hers also long after she said it", in_service.replays_resolve, size=SERVICE),
    Safeguard("table kept ahead", "identifiers are computed at the start only", in_service.keys_at_the_start_only, size=QUARTER),
    Safeguard("limits of coupons", "neither number nor budget of a coupon is looked at", in_service.no_limits, size=SERVICE),
    Safeguard("coupons decided once", "a visit's coupons are decided again and again", in_service.decided_at_every_look, size=SERVICE),
    Safeguard("told until kept", "a coupon is said once to her terminal", in_service.told_once, size=SERVICE),
    Safeguard("a coupon is used once", "a till does not look whether a coupon was used", in_service.used_again, size=SERVICE),
    Safeguard("a coupon is hers", "a till does not look whose a coupon is", in_service.anybodys_coupon, size=SERVICE),
    Safeguard("a command counts once", "a change of a list that is sent again counts again", in_shopping.commands_count_twice, size=SERVICE),
    Safeguard("amount of a payment", "a payment is confirmed whatever was paid", in_shopping.any_amount, size=SERVICE),
    Safeguard("end of a payment", "a payment that was over is confirmed", in_shopping.late_confirmations, size=SERVICE),
    Safeguard("payments expire", "a payment that nobody confirms stays open", in_shopping.payments_never_end, size=SERVICE),
    Safeguard("budgets of incentives", "neither budget nor limit of what an exit brings is looked at", in_shopping.no_budgets, size=SERVICE),
    Safeguard("electronic fallback", "what is not on paper is not given", in_shopping.nothing_is_given_electronically, size=SERVICE),
    Safeguard("used twice is told", "a second passage with a code is not reported", in_shopping.twice_is_not_told),
    Safeguard("claims are checked", "anybody may read any coupon from a display", in_shopping.claimed_by_anybody, size=SERVICE),
    Safeguard("numbers age", "a typed number holds for ever", in_shopping.numbers_for_ever, size=SERVICE),
    Safeguard("numbers are not tried out", "a lane asks for as many numbers as are typed", in_shopping.numbers_tried_out, size=SERVICE),
    Safeguard("consent to letters", "letters and notifications go to who has not agreed", in_giving.mailed_without_consent, size=SERVICE),
    Safeguard("no answer is none", "a letter of which no server has said that it has it counts as brought", in_giving.no_answer_is_an_answer, size=SERVICE),
    Safeguard("not for good", "what a server refuses for now is given up", in_giving.one_refusal_is_for_good, size=SERVICE),
    Safeguard("the next way", "where a way fails no other is begun", in_giving.no_other_way, size=SERVICE),
    Safeguard("one letter a coupon", "a letter that is sent again is another one", in_giving.a_new_letter_each_time, size=SERVICE),
    Safeguard("tries on disk", "a try ends with its process", in_giving.tries_end_with_their_process, size=SERVICE),
    Safeguard("revision of a list", "a till sells a list that was changed since it read it", in_shopping.any_revision, size=SERVICE),
    Safeguard("a list is paid once", "a second till sells a list that is paid", in_shopping.settled_again, size=SERVICE),
    Safeguard("sales said again", "a sale of a list that is posted again is a new one", in_shopping.said_again_is_new, size=SERVICE),
    Safeguard("lists on all devices", "of two devices of a customer one is told", in_shopping.only_one_device_is_told, size=SERVICE),
    Safeguard("lists at sign-in", "a terminal that comes back is not told her list", in_shopping.nothing_at_sign_in, size=SERVICE),
    Safeguard("read codes are gone", "a terminal is not told that a lane has read her code", in_shopping.read_codes_stay, size=SERVICE),
    Safeguard("devices call", "a device that is out of order calls nobody", in_calls.devices_call_nobody, size=TROUBLE),
    Safeguard("calls end", "a lane's call does not end with its cause", in_calls.calls_never_end, size=TROUBLE),
    Safeguard("calls on disk", "a lane's calls only in memory", in_calls.calls_in_memory_only, size=TROUBLE),
    Safeguard("lanes are told", "a lane does not hear what became of its call", in_calls.lanes_are_not_told, size=TROUBLE),
    Safeguard("ends of calls", "the hub passes over a lane's word that a call is over", in_calls.ends_stay_at_the_hub, size=TROUBLE),
    Safeguard("lost agents", "nobody is called for an agent that is lost", in_calls.lost_agents_have_no_call, size=QUARTER),
)  # fmt: skip
