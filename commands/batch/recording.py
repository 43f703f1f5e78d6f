"""Recording a batch: its trace, and the chart that is drawn from it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from atectl.errors import AtectlError, ReportUnwritable

from ..output.files import output_place
from ..output.stderr import report_error
from .arguments import BatchRequest

if TYPE_CHECKING:
    from atectl.arbitration.chronicle import Observer
    from atectl.budget.file import HostSettings
    from atectl.system.files import OutputPlace
    from atectl.trace.events import Event, Header
    from atectl.trace.recording import TraceWriter


class Recording:
    """What is recorded of a batch.

    Attributes:
        observer: what is told of all that happens; None if nothing is recorded.
        has_failed: whether a trace or a chart that was asked for could not be written.
    """

    def __init__(self, writers: "list[TraceWriter]") -> None:
        self.has_failed = False
        self._writers = writers
        self.observer: Observer | None = None
        if writers:
            from atectl.trace.recording import Recorder

            self.observer = Recorder(self._write)

    def close(self) -> None:
        """Close the files and warn of each that could not be written."""
        for writer in self._writers:
            self.guard(writer.close)

    def guard(self, act: Callable[[], None]) -> None:
        """Call `act`. A failure is only a warning: the jobs have run, and their results stand."""
        try:
            act()
        except AtectlError as error:
            self.has_failed = True
            report_error(error)

    def _write(self, event: "Event") -> None:
        for writer in self._writers:
            writer.write(event)


@contextmanager
def recording(request: BatchRequest, host: "HostSettings") -> Iterator[Recording]:
    """Record the batch that runs while this is entered.

    Raises:
        TraceUnwritable, ReportUnwritable: the trace or the chart cannot be written; nothing was
            run (exit 125).
    """
    chart = None if request.chart is None else output_place(request.chart)
    with ExitStack() as files:
        paths = [] if request.trace is None else [request.trace]
        if chart is not None:
            # On disk, not in memory: the chart needs the whole trace, however long the batch is. It
            # has one of its own, since the disk of the other may be full.
            from tempfile import NamedTemporaryFile

            paths.append(Path(files.enter_context(NamedTemporaryFile(suffix=".jsonl")).name))
        recorded = Recording(_writers(paths, host))
        try:
            yield recorded
        except BaseException:
            with suppress(AtectlError):
                recorded.close()
            raise
        recorded.close()
        if chart is not None:
            recorded.guard(lambda: _draw(paths[-1], chart))


def _writers(paths: list[Path], host: "HostSettings") -> "list[TraceWriter]":
    if not paths:
        return []
    from atectl.trace.recording import TraceWriter

    header = _header(host)
    return [TraceWriter(path, header) for path in paths]


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


def _draw(trace: Path, chart: "OutputPlace") -> None:
    from atectl.trace.reading import read_trace

    from ..drawing.timeline_svg import timeline_svg

    try:
        chart.write(timeline_svg(read_trace(trace)))
    except OSError as error:
        raise ReportUnwritable(f"{str(chart.path)!r}: {error.strerror}") from None
