"""Recording a batch: its trace, and the chart that is drawn from it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from atectl.errors import AtectlError, ReportUnwritable
from atectl.system.files import replace_file

from ..output.files import check_report_place
from ..output.stderr import report_warning
from .arguments import BatchRequest

if TYPE_CHECKING:
    from atectl.arbitration.chronicle import Observer
    from atectl.budget.file import HostSettings
    from atectl.trace.events import Header


@contextmanager
def recording(request: BatchRequest, host: "HostSettings") -> "Iterator[Observer | None]":
    """An observer for the batch that runs while this is entered; None if nothing is recorded.

    Raises:
        TraceUnwritable, ReportUnwritable: the trace or the chart cannot be written; nothing was
            run (exit 125).
    """
    if request.chart is not None:
        check_report_place(str(request.chart))
    if request.trace is not None:
        with _traced(request.trace, request, host) as observer:
            yield observer
    elif request.chart is not None:
        from tempfile import NamedTemporaryFile

        # On disk, not in memory: the chart needs the whole trace, however long the batch is.
        with (
            NamedTemporaryFile(suffix=".jsonl") as file,
            _traced(Path(file.name), request, host) as observer,
        ):
            yield observer
    else:
        yield None


@contextmanager
def _traced(path: Path, request: BatchRequest, host: "HostSettings") -> "Iterator[Observer]":
    from atectl.trace.recording import Recorder, TraceWriter

    writer = TraceWriter(path, _header(host))
    try:
        yield Recorder(writer.write)
    except BaseException:
        with suppress(AtectlError):
            writer.close()
        raise
    # The jobs have run, and their results stand: a failure from here on is only a warning.
    try:
        writer.close()
        if request.chart is not None:
            _draw(path, request.chart)
    except AtectlError as error:
        report_warning(error)


def _header(host: "HostSettings") -> "Header":
    from atectl.trace.events import Header

    return Header(
        host.budget(),
        host.backpressure,
        host.policy,
        host.jobs_at_once,
        busy_leases=min(host.jobs_at_once, len(os.sched_getaffinity(0))),
        spill_room_bytes=_spill_room_bytes(host),
    )


def _spill_room_bytes(host: "HostSettings") -> int | None:
    """What may be spilled as the batch begins, so that replays know it even if nothing is."""
    from atectl.spill.room import disk_room_bytes

    try:
        room_bytes = disk_room_bytes(host.spill_dir)
    except AtectlError:
        return None
    return room_bytes if host.spill_cap_bytes is None else min(room_bytes, host.spill_cap_bytes)


def _draw(trace: Path, chart: Path) -> None:
    from atectl.trace.reading import read_trace

    from ..drawing.timeline_svg import timeline_svg

    try:
        replace_file(chart, timeline_svg(read_trace(trace)))
    except OSError as error:
        raise ReportUnwritable(f"{str(chart)!r}: {error.strerror}") from None
