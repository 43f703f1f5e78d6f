"""The result line of a job: the facts of a run's report, and those that only a batch has."""

from binascii import b2a_base64
from typing import TYPE_CHECKING, Annotated, NamedTuple

from atectl.arbitration.view import Action
from atectl.budget.jobs import Submission, in_words_of_a_job
from atectl.engine.traps import TrapReport
from atectl.errors import AtectlError
from atectl.lease.outcome import REFUSED, SUCCESS
from atectl.lease.report import NO_USE, NOT_LOADED, Ending, Loading, Use, use_of
from atectl.records.errors import ErrorFacts, facts_of
from atectl.records.types import Mark

if TYPE_CHECKING:
    from atectl.arbitration.seat import Ruling
    from atectl.batch.cells.outputs import Captured
    from atectl.batch.job import JobResult


class DecisionFacts(NamedTuple):
    """A decision of the arbiter about a job. Growths that were granted at once are not listed."""

    at_s: float
    """When, since the batch began."""
    action: Action
    """What was done."""
    bytes: int
    """The growth that was granted or waits, or what was written to disk or came back."""
    freed_bytes: int | None
    """How much memory spilling freed, as measured; null for other actions."""
    pressure_bytes: int
    """What the whole host used at that time."""
    reason: str
    """Why."""


class OutputFacts(NamedTuple):
    """The end of what a job wrote to one of its outputs."""

    text: str | None
    """As text; null if it is not UTF-8."""
    base64: str | None
    """The bytes, if they are not UTF-8, else null."""
    written_bytes: int
    """How much was written in all. What is here is the end of that."""


class ResultLine(NamedTuple):
    """The result of one job of a batch."""

    job: int
    """Its place in the input, from 1 on."""
    digest: str
    """Identifies the line of the job, whatever its place; empty if that could not be read. With
    `sha256` it identifies the job: the same line with another capsule is another job."""
    label: str
    """The note that its input gave it; may be empty."""
    ending: Annotated[Ending, Mark.INLINE]
    """How it ended, and whose it was."""
    use: Annotated[Use, Mark.INLINE]
    """What it used."""
    loading: Annotated[Loading, Mark.INLINE]
    """How its capsule was loaded."""
    trap: TrapReport | None
    """Why and where the guest trapped; null if it did not."""
    results: tuple[str, ...]
    """What the invoked export returned, as text."""
    error: ErrorFacts | None
    """What ended it; null if it ended by itself, or was told to end."""
    decisions: tuple[DecisionFacts, ...]
    """What the arbiter decided about it, in the order of time."""
    attempts: int = 1
    """How often it was run. A job that the arbiter ended, and that would fit alone, is run again,
    as is one that failed with `--retries`; all else tells of the last time."""
    host_bytes: int = 0
    """The most that its process was seen to hold beside what the jobs in it are charged: what the
    engine and the host keep for them. 0 if it ended before it was looked at."""
    stdout: OutputFacts | None = None
    """What it wrote to stdout, with `--capture`; null if it wrote nothing there, or to a file."""
    stderr: OutputFacts | None = None
    """What it wrote to stderr: with `--capture`, and the last 4 KiB if it failed; null if it wrote
    nothing there, or to a file."""
    held_walls: tuple[str, ...] = ()
    """The walls around it that held, by the names that `atectl doctor` and the report of a run use;
    empty if it came to no process. `doctor` says why one does not hold."""
    host: str | None = None
    """The host of a fleet that ran it; null in a batch on one machine, and if none did."""
    attempt: int = 1
    """How often it was sent to a host: more than once if one was lost that had it."""
    queued_s: float | None = None
    """How long it waited in a batch over many machines until it began; null in one on one."""

    @property
    def is_success(self) -> bool:
        """Whether the guest ended by itself, with exit status 0."""
        return self.ending[:2] == SUCCESS


def result_of_job(submission: Submission, result: "JobResult", quota_bytes: int) -> ResultLine:
    """The result of a job that was run."""
    outcome = result.outcome
    return ResultLine(
        job=submission.number,
        digest=submission.digest,
        label=submission.label,
        ending=_ending(
            submission, outcome.reason, outcome.exit_status, quota_bytes, outcome.exit_code
        ),
        use=use_of(result.reading, result.cpu_s, result.wall_s, None),
        loading=result.loading,
        trap=outcome.trap,
        results=outcome.results,
        error=None if outcome.error is None else _facts(outcome.error),
        decisions=tuple(map(_decision, result.rulings)),
        attempts=result.attempts,
        host_bytes=result.host_bytes,
        stdout=_output(result.output.stdout),
        stderr=_output(result.output.stderr),
        held_walls=result.held_walls,
        host=result.host,
        attempt=result.attempt,
        queued_s=None if result.queued_s is None else round(result.queued_s, 6),
    )


def result_of_refusal(submission: Submission, error: AtectlError) -> ResultLine:
    """The result of a job that could not be read."""
    return ResultLine(
        job=submission.number,
        digest=submission.digest,
        label=submission.label,
        ending=_ending(submission, REFUSED, error.exit_status, 0),
        use=NO_USE,
        loading=NOT_LOADED,
        trap=None,
        results=(),
        error=_facts(error),
        decisions=(),
    )


def _ending(
    submission: Submission,
    reason: str,
    exit_status: int,
    quota_bytes: int,
    exit_code: int | None = None,
) -> Ending:
    principal, capsule = submission.principal, submission.capsule
    return Ending(reason, exit_status, principal, capsule, quota_bytes, exit_code)


def _facts(error: AtectlError) -> ErrorFacts:
    """The error. Its remedy names keys of a job instead of options of `run`."""
    told = facts_of(error)
    return told._replace(remedy=in_words_of_a_job(told.remedy))


def _output(captured: "Captured | None") -> OutputFacts | None:
    if captured is None:
        return None
    data, written_bytes = captured
    if len(data) < written_bytes:
        data = _from_a_character_on(data)
    try:
        return OutputFacts(data.decode(), None, written_bytes)
    except UnicodeDecodeError:
        return OutputFacts(None, b2a_base64(data, newline=False).decode(), written_bytes)


def _from_a_character_on(data: bytes) -> bytes:
    """The end of a text in UTF-8 that was cut anywhere, without the rest of a character."""
    begin = 0
    while begin < min(len(data), 3) and data[begin] & 0xC0 == 0x80:
        begin += 1
    return data[begin:]


def _decision(ruling: "Ruling") -> DecisionFacts:
    return DecisionFacts(
        round(ruling.at_s, 6),
        ruling.action,
        ruling.bytes,
        ruling.freed_bytes,
        ruling.pressure_bytes,
        ruling.reason,
    )
