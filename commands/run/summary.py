"""The summary of a run on stderr, once it has ended."""

import sys
from typing import TYPE_CHECKING

from atectl.errors import EngineFailure, InitialMemoryOverQuota
from atectl.inert import inert_line
from atectl.units import format_duration, show_percent, show_size

from ..output.stderr import report_error, report_warning, say

if TYPE_CHECKING:
    from .finished import FinishedRun


_BETWEEN = " · "


def print_summary(finished: "FinishedRun") -> None:
    """Print how the run ended: warnings, the guest's frames, refused growths, and the error."""
    for warning in finished.warnings:
        report_warning(warning)
    if finished.outcome.trap is not None:
        for frame in finished.outcome.trap.frames:
            print(f"  {inert_line(frame)}", file=sys.stderr)
    for note in notes(finished):
        say(f"note: {inert_line(note)}")
    if finished.outcome.error is not None:
        report_error(finished.outcome.error)
    if sys.stderr.isatty():
        say(inert_line(closing_line(finished)), between=_BETWEEN)


def notes(finished: "FinishedRun") -> list[str]:
    """What the operator should know besides the error."""
    if isinstance(finished.outcome.error, InitialMemoryOverQuota | EngineFailure):
        return []  # the error has all of it
    reading = finished.lease.read()
    found = [f"the host could not give memory: {failure}" for failure in finished.lease.failures]
    if reading.refused_growths:
        count, quota = reading.refused_growths, finished.request.quota.memory_bytes
        times = "1 growth was" if count == 1 else f"{count} growths were"
        found.append(
            f"{times} refused, the largest of {show_size(reading.largest_refused_bytes)} "
            f"({reading.largest_refused_bytes} bytes), beyond the quota of {show_size(quota)} "
            f"({quota} bytes); --max-mem raises it"
        )
    return found


def closing_line(finished: "FinishedRun") -> str:
    """The run in one line."""
    lease, outcome = finished.lease, finished.outcome
    reading, quota = lease.read(), finished.request.quota.memory_bytes
    parts = [
        finished.request.principal,
        lease.capsule.title,
        f"{outcome.reason} {outcome.exit_status}",
        f"peak {show_size(reading.peak_bytes)} of {show_size(quota)} "
        f"({show_percent(reading.peak_bytes, quota)})",
        f"CPU {format_duration(lease.cpu_s)}",
        f"wall {format_duration(lease.wall_s)}",
    ]
    if lease.capsule.compile_s:
        parts.append(f"compiled in {format_duration(lease.capsule.compile_s)}")
    return _BETWEEN.join(parts)
