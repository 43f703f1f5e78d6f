"""What a batch says at its end: why jobs failed, how many did, and how to go on."""

import os
import stat
from pathlib import Path

from atectl.units import counted, format_duration, show_size

from ..options.host import STDIN
from .tally import Tally


def closing_lines(source: str, tally: Tally, elapsed_s: float, *, tells_why: bool) -> list[str]:
    """Why jobs failed, the batch in one line, and how to go on with it if it was cut short.

    Args:
        source: where its jobs came from, as it was given.
        tally: what became of them.
        elapsed_s: how long it took.
        tells_why: whether to tell why jobs failed, by reason.
    """
    lines = tally.failures.lines() if tells_why else []
    lines.append(closing_line(tally, elapsed_s))
    if tally.is_stopping and tally.has_reader and (tally.interrupted or tally.left != 0):
        lines.append(_how_to_go_on(source))
    return lines


def _how_to_go_on(source: str) -> str:
    """The command that goes on with a batch that was cut short."""
    from shlex import quote

    results = _results_path()
    if results is None:
        return (
            "to be able to go on, keep the results in a file (> results.jsonl): "
            "--resume-from results.jsonl runs what is not done there"
        )
    jobs = f"{STDIN} < JOBS" if source == STDIN else quote(source)
    command = f"atectl batch {jobs} --resume-from {quote(results)} >> {quote(results)}"
    return f"to go on: `{command}`"


def _results_path() -> str | None:
    """The path of the file that the results go to; None if they go to no file."""
    if not stat.S_ISREG(os.fstat(1).st_mode):
        return None
    try:
        return os.path.relpath(Path("/proc/self/fd/1").readlink())
    except OSError:
        return None


def closing_line(tally: Tally, elapsed_s: float) -> str:
    """The batch in one line."""
    parts = [f"{tally.done} done"]
    if tally.failed or not tally.interrupted:
        parts.append(f"{tally.failed} failed")
    if tally.interrupted:
        parts.append(f"{tally.interrupted} interrupted")
    if tally.skipped:
        parts.append(f"{tally.skipped} done before")
    if tally.left:
        parts.append(f"{tally.left} not started")
    if tally.total is None:
        parts.append("input not read to its end")
    if tally.spills:
        together = " together" if tally.spills > 1 else ""
        spills = counted(tally.spills, "spill")
        parts.append(f"{spills} of {show_size(tally.spilled_bytes)}{together}")
    return f"{', '.join(parts)}, in {format_duration(elapsed_s)}"
