"""Jobs as a pure table: what each piece of evidence proves, and what it does not."""

from __future__ import annotations

import pytest

from devices.errors import IllegalMove
from devices.escpos_replies import BuffersCleared, PaperStatus, ProcessId
from devices.printer_fence import CLEAR_BUFFERS, Fences, fence_name
from devices.printer_job import GRACE_S, Evidence, Findings, JobState, PrintJobs


def sent_job(by: Evidence = Evidence.PROCESS_ID) -> PrintJobs:
    jobs = PrintJobs(by)
    jobs.queue("a", timeout_s=10)
    jobs.send("a", now=0)
    return jobs


def doubtful_job(by: Evidence = Evidence.PROCESS_ID) -> PrintJobs:
    jobs = sent_job(by)
    jobs.tick(now=10)
    return jobs


def test_confirmed_by_its_own_fence_only() -> None:
    jobs = sent_job()
    assert jobs.confirm(b"zzzz") is None
    result = jobs.confirm(jobs.fence("a"))
    assert result is not None
    assert (result.state, result.evidence) == (JobState.PRINTED, Evidence.PROCESS_ID)
    assert jobs.confirm(jobs.fence("a")) is None  # a second answer is no news


@pytest.mark.row("C4")
def test_a_time_out_is_unknown_and_a_late_answer_still_counts() -> None:
    jobs = sent_job()
    assert jobs.tick(now=9.9) == []
    [result] = jobs.tick(now=10)
    assert (result.state, result.reason, result.may_reprint) == (JobState.UNKNOWN, "timeout", False)
    late = jobs.confirm(jobs.fence("a"))
    assert late is not None
    assert late.printed


def test_an_obstacle_shortens_the_wait_and_names_itself() -> None:
    jobs = sent_job()
    jobs.obstacle("rec_empty", now=1)
    assert jobs.next_deadline() == 1 + GRACE_S
    [result] = jobs.tick(now=1 + GRACE_S)
    assert result.reason == "rec_empty"


def test_a_refused_job_may_be_printed_later() -> None:
    jobs = PrintJobs(Evidence.PROCESS_ID)
    jobs.queue("a", timeout_s=1)
    assert jobs.refuse("a", "cover_open").may_reprint
    jobs.queue("a", timeout_s=1)


@pytest.mark.parametrize("end", ["sent", "unknown", "printed"])
def test_what_may_come_out_cannot_be_queued_again(end: str) -> None:
    jobs = sent_job() if end == "sent" else doubtful_job()
    if end == "printed":
        jobs.confirm(jobs.fence("a"))
    with pytest.raises(IllegalMove):
        jobs.queue("a", timeout_s=1)


def test_final_states_stay() -> None:
    jobs = doubtful_job()
    jobs.confirm(jobs.fence("a"))
    with pytest.raises(IllegalMove):
        jobs.refuse("a", "x")
    assert jobs.judge("a", Findings(3, 3, True, True)).printed


VERDICTS = [
    # before, after, drained, cleared -> state, evidence
    (5, 6, True, False, JobState.PRINTED, Evidence.CUT_COUNTER),
    (5, 6, False, False, JobState.PRINTED, Evidence.CUT_COUNTER),
    (5, 5, True, False, JobState.FAILED, Evidence.CUT_COUNTER),
    (5, 5, True, True, JobState.FAILED, Evidence.CUT_COUNTER),
    (5, 5, False, False, JobState.UNKNOWN, Evidence.NONE),  # it may still hold it
    (5, 2, True, False, JobState.UNKNOWN, Evidence.NONE),  # somebody reset the counter
    (None, 6, True, False, JobState.UNKNOWN, Evidence.NONE),
    (5, None, True, False, JobState.UNKNOWN, Evidence.NONE),
    (5, None, True, True, JobState.FAILED, Evidence.CLEARED),
    (None, None, False, False, JobState.UNKNOWN, Evidence.NONE),
]


@pytest.mark.row("C4")
@pytest.mark.parametrize(("before", "after", "drained", "cleared", "state", "evidence"), VERDICTS)
def test_verdicts(
    before: int | None, after: int | None, drained: bool, cleared: bool, state: JobState, evidence: Evidence
) -> None:
    result = doubtful_job().judge("a", Findings(before, after, drained, cleared))
    assert (result.state, result.evidence) == (state, evidence)
    assert result.reason or result.printed


def test_clearing_proves_nothing_after_a_break_or_without_names() -> None:
    jobs = doubtful_job()
    jobs.lost("port_lost")
    assert jobs.judge("a", Findings(5, None, True, True)).state is JobState.UNKNOWN
    assert doubtful_job(Evidence.GS_R).judge("a", Findings(5, None, True, True)).state is JobState.UNKNOWN


def test_an_unsettled_job_holds_the_next_back_until_it_was_looked_at() -> None:
    jobs = doubtful_job()
    assert jobs.unsettled() == "a"
    jobs.judge("a", Findings(None, None, False, False))
    assert jobs.unsettled() == ""


def test_a_later_job_shares_the_counter_and_is_not_taken_for_this_one() -> None:
    jobs = doubtful_job()
    jobs.judge("a", Findings(5, None, False, False))
    jobs.queue("b", timeout_s=1)
    jobs.send("b", now=20)
    assert jobs.judge("a", Findings(5, 6, True, False)).state is JobState.UNKNOWN
    assert jobs.judge("a", Findings(5, 7, True, False)).printed


def test_a_job_of_a_former_run_is_found_by_its_name() -> None:
    former = sent_job()
    jobs = PrintJobs(Evidence.PROCESS_ID)
    jobs.adopt("a")
    assert jobs.fence("a") == former.fence("a")
    late = jobs.confirm(former.fence("a"))
    assert late is not None
    assert late.printed


def test_old_jobs_are_forgotten() -> None:
    jobs = PrintJobs(Evidence.PROCESS_ID)
    for n in range(200):
        jobs.queue(str(n), timeout_s=1)
        jobs.refuse(str(n), "x")
    assert len(jobs._jobs) == 64
    assert jobs.result("199").state is JobState.FAILED


def test_fence_names_are_printable_and_stable() -> None:
    names = {fence_name(f"job {n}") for n in range(2_000)}
    assert len(names) == 2_000
    assert all(0x20 <= byte <= 0x7E for name in names for byte in name)
    assert fence_name("job 1") == fence_name("job 1")


def test_named_fences() -> None:
    fences = Fences("process_id")
    assert fences.request(b"ab12") == bytes.fromhex("1D 28 48 06 00 30 30") + b"ab12"
    assert fences.on_reply(ProcessId(b"ab12"), 0) == b"ab12"
    assert fences.on_reply(PaperStatus(0), 0) is None
    assert bytes.fromhex("10 14 08 01 03 14 01 06 02 08") == CLEAR_BUFFERS


def test_nameless_fences_pass_in_order_and_ignore_noise() -> None:
    fences = Fences("gs_r")
    assert fences.request(b"1") == b"\x1dr\x01"
    fences.request(b"2")
    assert fences.on_reply(PaperStatus(0x41), 0) is None  # no byte that GS r 1 can say
    assert fences.on_reply(PaperStatus(0), 0) == b"1"
    assert fences.on_reply(PaperStatus(0x0F), 0) == b"2"
    assert fences.on_reply(PaperStatus(0), 0) is None
    assert fences.stray_replies == 1


def test_a_nameless_answer_that_comes_late_is_not_taken_for_the_next() -> None:
    fences = Fences("gs_r")
    fences.request(b"1")
    fences.give_up(b"1", now=10)
    fences.request(b"2")
    assert fences.on_reply(PaperStatus(0), 11) is None  # the held job's
    assert fences.on_reply(PaperStatus(0), 11) == b"2"


def test_clearing_forgets_nameless_fences() -> None:
    fences = Fences("gs_r")
    fences.request(b"1")
    fences.give_up(b"1", now=10)
    fences.on_reply(BuffersCleared(), 11)
    fences.request(b"2")
    assert fences.on_reply(PaperStatus(0), 12) == b"2"


def test_a_lost_nameless_answer_does_not_shift_all_that_follow() -> None:
    fences = Fences("gs_r")
    fences.request(b"1")
    fences.give_up(b"1", now=10)  # its answer was lost on the wire
    fences.request(b"2")
    fences.on_reply(PaperStatus(0), 11)  # the answer to 2, taken for 1's
    fences.give_up(b"2", now=20)
    fences.request(b"3")
    assert fences.on_reply(PaperStatus(0), 21) == b"3"
