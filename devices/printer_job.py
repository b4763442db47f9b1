"""Print jobs: what is known of each, and on what evidence. Pure; `now` is in seconds, monotonic.

    state     move       becomes   when
    queued    refuse     failed    nothing was sent: port closed, paper end, cover open, an earlier job unsettled
    queued    send       sent      the first byte was handed to the port
    sent      confirm    printed   the printer answered the job's fence
    sent      doubt      unknown   time-out, port lost, or the printer reported a cause why it cannot go on
    unknown   confirm    printed   late answer (a held job prints when paper comes back), or the cut counter
    unknown   disprove   failed    evidence that it was not printed and never will be: it may be printed again

A job that timed out is unknown, not failed: the printer holds it and prints it by itself when there is paper again,
so that a blind resend prints two. Printed and failed are final.

The evidence for a job whose confirmation was lost (restart of this program, port lost, power cut) is the printer's
maintenance counter of cutter operations, GS g 2 with counter 178 (since manufacture; 50 is the same since its last
reset), reply 5F, decimal digits, 00. Source: manuals of TM-T81, TM-T88III, TM-T90 and, alike, Citizen CT-S2000. It is
read before the job, stored by the caller, and read again after the buffers are empty: advanced means printed, the
same means not printed. The manuals warn that counters are measurements, which errors and the moment of power-off
may falsify. So the reprint must carry the same coupon ID: the worst case is two papers of one coupon, which
can be redeemed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from devices.errors import IllegalMove
from devices.printer_fence import fence_name

#: How long a job may go on after the printer reported an obstacle: what was already under the head still comes out.
GRACE_S = 0.5
KEEP_JOBS = 64


class JobState(str, Enum):
    QUEUED = "queued"
    SENT = "sent"
    PRINTED = "printed"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Evidence(str, Enum):
    """What a result rests on. `CLEARED`: the buffers were cleared before the job was confirmed, on one connection."""

    NONE = ""
    NOTHING_SENT = "nothing_sent"
    PROCESS_ID = "process_id"
    GS_R = "gs_r"
    CUT_COUNTER = "cut_counter"
    CLEARED = "cleared"


_MOVES = {
    (JobState.QUEUED, "refuse"): JobState.FAILED,
    (JobState.QUEUED, "send"): JobState.SENT,
    (JobState.SENT, "confirm"): JobState.PRINTED,
    (JobState.SENT, "doubt"): JobState.UNKNOWN,
    (JobState.UNKNOWN, "confirm"): JobState.PRINTED,
    (JobState.UNKNOWN, "disprove"): JobState.FAILED,
}


@dataclass(frozen=True, slots=True)
class JobResult:
    """`reason`: a word of `devices.status.FLAGS`, or "timeout", "port_lost", "unsettled", … or a sentence."""

    job_id: str
    state: JobState
    reason: str = ""
    evidence: Evidence = Evidence.NONE

    @property
    def printed(self) -> bool:
        return self.state is JobState.PRINTED

    @property
    def may_reprint(self) -> bool:
        """Whether sending the same coupon again cannot give two of it."""
        return self.state is JobState.FAILED


@dataclass(slots=True)
class _Job:
    result: JobResult
    fence: bytes
    timeout_s: float = 0.0
    deadline: float = float("inf")
    settled: bool = False  # a resolve has said what can be said
    one_connection: bool = True
    later_sent: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at the printer gave. Counters None: not read. `drained`: it holds nothing of the job any more, either
    because it answered a fence behind it or because it cleared its buffers (`cleared`)."""

    cuts_before: int | None
    cuts_after: int | None
    drained: bool
    cleared: bool


class PrintJobs:
    """The jobs of one printer, the newest 64. At most one is queued or sent at a time."""

    def __init__(self, confirmed_by: Evidence) -> None:
        self._confirmed_by = confirmed_by
        self._jobs: dict[str, _Job] = {}

    def result(self, job_id: str) -> JobResult:
        return self._jobs[job_id].result

    def fence(self, job_id: str) -> bytes:
        return self._jobs[job_id].fence

    def unsettled(self) -> str:
        """The job that must be resolved before another may be sent, or "": two in doubt would share one counter."""
        return next((key for key, job in self._jobs.items() if _in_doubt(job) and not job.settled), "")

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinity if never."""
        open_jobs = (job.deadline for job in self._jobs.values() if job.result.state is JobState.SENT)
        return min(open_jobs, default=float("inf"))

    def queue(self, job_id: str, timeout_s: float) -> None:
        """A new job, or a reprint of one that failed. Raises IllegalMove for one that may still come out."""
        known = self._jobs.pop(job_id, None)
        if known is not None and known.result.state is not JobState.FAILED:
            self._jobs[job_id] = known
            raise IllegalMove("print job", known.result.state.value, "queue")
        self._add(_Job(JobResult(job_id, JobState.QUEUED), fence_name(job_id), timeout_s=timeout_s))

    def adopt(self, job_id: str) -> None:
        """A job of a former run, of which nothing is known but that it may have been sent."""
        if job_id not in self._jobs:
            doubt = JobResult(job_id, JobState.UNKNOWN, "restart")
            self._add(_Job(doubt, fence_name(job_id), one_connection=False))

    def refuse(self, job_id: str, reason: str) -> JobResult:
        return self._move(self._jobs[job_id], "refuse", reason, Evidence.NOTHING_SENT)

    def send(self, job_id: str, now: float) -> None:
        self.extra_cut()
        job = self._jobs[job_id]
        job.later_sent = 0
        job.deadline = now + job.timeout_s
        self._move(job, "send")

    def confirm(self, fence: bytes) -> JobResult | None:
        """The printer answered `fence`: the job it belongs to, if that was news."""
        found = (job for job in self._jobs.values() if job.fence == fence)
        job = next((job for job in found if job.result.state in (JobState.SENT, JobState.UNKNOWN)), None)
        return self._move(job, "confirm", "", self._confirmed_by) if job else None

    def obstacle(self, reason: str, now: float) -> None:
        """The printer says that it cannot go on. What is sent has a moment left, then it is unknown."""
        for job in self._jobs.values():
            if job.result.state is JobState.SENT and now + GRACE_S < job.deadline:
                job.deadline = now + GRACE_S
                job.result = replace(job.result, reason=reason)

    def tick(self, now: float) -> list[JobResult]:
        """Jobs that became unknown by time."""
        late = [job for job in self._jobs.values() if job.result.state is JobState.SENT and job.deadline <= now]
        return [self._move(job, "doubt", job.result.reason or "timeout") for job in late]

    def doubt(self, job_id: str, reason: str) -> JobResult:
        return self._move(self._jobs[job_id], "doubt", reason)

    def lost(self, reason: str) -> list[JobResult]:
        """The connection broke: what is sent is unknown, and no confirmation missing after this proves anything."""
        sent = []
        for job in self._jobs.values():
            job.one_connection = False
            if job.result.state is JobState.SENT:
                sent.append(self._move(job, "doubt", reason))
        return sent

    def extra_cut(self) -> None:
        """Something that is no job was cut: jobs still in doubt share the counter with it."""
        for job in self._jobs.values():
            job.later_sent += 1

    def judge(self, job_id: str, findings: Findings) -> JobResult:
        """The verdict on a job in doubt. It stays unknown where there is no evidence; the caller decides then."""
        job = self._jobs[job_id]
        job.settled = True
        if job.result.state is not JobState.UNKNOWN:
            return job.result
        move, evidence = _verdict(job, findings, by_name=self._confirmed_by is Evidence.PROCESS_ID)
        if move == "":
            job.result = replace(job.result, reason=_doubt(findings))
            return job.result
        return self._move(job, move, "" if move == "confirm" else "not printed", evidence)

    def _add(self, job: _Job) -> None:
        self._jobs[job.result.job_id] = job
        finished = [
            key for key, old in self._jobs.items() if old is not job and not (_in_doubt(old) and not old.settled)
        ]
        for key in finished[: max(0, len(self._jobs) - KEEP_JOBS)]:
            del self._jobs[key]

    def _move(self, job: _Job, move: str, reason: str = "", evidence: Evidence = Evidence.NONE) -> JobResult:
        state = _MOVES.get((job.result.state, move))
        if state is None:
            raise IllegalMove("print job", job.result.state.value, move)
        job.result = JobResult(job.result.job_id, state, reason, evidence)
        return job.result


def _in_doubt(job: _Job) -> bool:
    return job.result.state is JobState.UNKNOWN


def _verdict(job: _Job, findings: Findings, *, by_name: bool) -> tuple[str, Evidence]:
    before, after = findings.cuts_before, findings.cuts_after
    if before is not None and after is not None and after >= before:
        if after - before > job.later_sent:
            return "confirm", Evidence.CUT_COUNTER
        if after == before and findings.drained:
            return "disprove", Evidence.CUT_COUNTER
    if by_name and findings.cleared and job.one_connection:
        return "disprove", Evidence.CLEARED
    return "", Evidence.NONE


def _doubt(findings: Findings) -> str:
    if findings.cuts_before is None:
        return "no cut counter was read before the job"
    if findings.cuts_after is None:
        return "the cut counter cannot be read now"
    if findings.cuts_after < findings.cuts_before:
        return "the cut counter was reset"
    return "jobs sent later share the cut counter" if findings.drained else "the printer may still hold it"
