"""Why jobs failed: in a line for each, and for all of a batch by reason."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from atectl.batch.lines import ResultLine
from atectl.inert import inert_line

_MOST_REASONS = 1_000
_MOST_SHOWN = 10
_MOST_NAMED = 3
_MOST_CHARACTERS = 160
_ITS_OWN = re.compile(r"^(?:line|job) \d+: ")
"""What an error says of the place of its job, which no other has."""


class Failed(NamedTuple):
    """The jobs that failed for one reason: how many, and the first few."""

    reason: str
    times: int
    jobs: tuple[str, ...]


class Failures:
    """The failures of a batch by reason, in the order in which each came first."""

    def __init__(self) -> None:
        self._found: dict[str, Failed] = {}

    def add(self, result: ResultLine) -> None:
        """A job has failed."""
        reason = _reason(result)
        if reason not in self._found and len(self._found) >= _MOST_REASONS:
            reason = "other reasons"
        found = self._found.get(reason, Failed(reason, 0, ()))
        jobs = found.jobs
        if len(jobs) < _MOST_NAMED:
            jobs = (*jobs, result.label or f"job {result.job}")
        self._found[reason] = Failed(reason, found.times + 1, jobs)

    def lines(self) -> list[str]:
        """A line for each reason, the most frequent first, with the jobs that came first."""
        found = sorted(self._found.values(), key=lambda each: -each.times)
        lines = [f"{each.times:>5} × {each.reason}  ({_named(each)})" for each in found]
        if len(lines) > _MOST_SHOWN:
            others = sum(each.times for each in found[_MOST_SHOWN:])
            lines[_MOST_SHOWN:] = [f"{others:>5} × {len(found) - _MOST_SHOWN} other reasons"]
        return lines


def why(result: ResultLine) -> str:
    """Why a job failed: its error, or else the last line that it wrote to stderr; may be empty."""
    if result.error is not None:
        said = f"{result.error.code}: {result.error.message}"
    elif not result.is_success and result.stderr is not None and result.stderr.text:
        said = next(_last_lines(result.stderr.text), "")
    else:
        return ""
    return inert_line(said)


def _last_lines(text: str) -> Iterator[str]:
    return (line for line in reversed(text.splitlines()) if line.strip())


def _reason(result: ResultLine) -> str:
    error = result.error
    if error is not None:
        said = f"{error.code}: {_ITS_OWN.sub('', error.message)}"
    else:
        told = why(result)
        said = f"{result.ending.reason} {result.ending.exit_status}{told and f': {told}'}"
    said = inert_line(said)
    return said if len(said) <= _MOST_CHARACTERS else f"{said[: _MOST_CHARACTERS - 1]}…"


def _named(failed: Failed) -> str:
    jobs = ", ".join(map(inert_line, failed.jobs))
    more = failed.times - len(failed.jobs)
    return f"{jobs}, +{more} more" if more else jobs
