"""What a chart of loading shows: what was held over time, by phase, and the limit."""

from collections.abc import Sequence
from typing import NamedTuple

from atectl.load.memory_watch import PHASES, Phase, Sample
from atectl.load.run import Watched
from atectl.units import counted, format_duration

SHOWN: tuple[Phase, ...] = ("compile", "store", "start", "decode", "read", "host")
"""The phases as they lie over one another, the topmost first."""


class Panel(NamedTuple):
    """One run. `limit_bytes` is None for one that is held to none.

    `span_s` and `top_bytes` are the ends of the axes. `names` says what each phase is called.
    """

    title: str
    samples: tuple[Sample, ...]
    limit_bytes: int | None
    span_s: float
    top_bytes: int
    names: dict[Phase, str]


def panel_of(
    title: str,
    samples: Sequence[Sample],
    limit_bytes: int | None = None,
    host_name: str = "atectl's own",
) -> Panel:
    """A panel with axes of its own."""
    highest = max((each.total_bytes for each in samples), default=0)
    span_s = max((each.at_s for each in samples), default=0.0)
    names = {phase: host_name if phase == "host" else phase for phase in PHASES}
    top_bytes = max(highest, limit_bytes or 0, 1) * 105 // 100 + 1
    return Panel(title, tuple(samples), limit_bytes, span_s, top_bytes, names)


def on_common_axes(panels: Sequence[Panel]) -> list[Panel]:
    """The same panels with axes of the same length, so that they can be compared.

    A limit that lies far above all that was held would make the rest small: it is left out then.
    """
    highest = max((each.total_bytes for panel in panels for each in panel.samples), default=1)
    shown = [
        panel._replace(
            limit_bytes=None
            if panel.limit_bytes is not None and panel.limit_bytes > 2 * highest
            else panel.limit_bytes
        )
        for panel in panels
    ]
    limits = [panel.limit_bytes or 0 for panel in shown]
    top_bytes = max([highest, *limits]) * 105 // 100 + 1
    span_s = max((panel.span_s for panel in panels), default=0.0)
    return [panel._replace(span_s=span_s, top_bytes=top_bytes) for panel in shown]


def in_columns(panel: Panel, columns: int) -> list[Sample | None]:
    """Time in equal parts, each with its highest sample, so that no peak is lost.

    A part without one has the sample before it. None is before the first and after the last.
    """
    found: list[Sample | None] = [None] * columns
    last_column = -1
    for sample in panel.samples:
        share = sample.at_s / panel.span_s if panel.span_s > 0 else 0.0
        last_column = min(int(share * columns), columns - 1)
        before = found[last_column]
        if before is None or before.total_bytes < sample.total_bytes:
            found[last_column] = sample
    for place in range(1, last_column + 1):
        found[place] = found[place] or found[place - 1]
    return found


def levels(sample: Sample | None) -> dict[Phase, int | None]:
    """How high each phase reaches where they lie over one another; None where nothing is known."""
    if sample is None:
        return dict.fromkeys(SHOWN)
    left = sample.total_bytes
    found: dict[Phase, int | None] = {}
    for phase in SHOWN:
        found[phase] = left
        left -= sample.by_phase.get(phase, 0)
    return found


def panels_of(loaded: Watched) -> list[Panel]:
    """What was held by atectl and, if it was asked for, by the naive loader: that first."""
    report = loaded.report
    count = counted(len(report.capsules), "capsule")
    ours = panel_of(
        f"atectl load: {count} in {format_duration(report.wall_s)}",
        loaded.samples,
        report.limit_bytes,
    )
    if report.naive is None:
        return on_common_axes([ours])
    naive = panel_of(
        f"Naive: {report.naive.loaded} in {format_duration(report.naive.wall_s)}, all held",
        loaded.naive_samples,
        host_name="one process",
    )
    return on_common_axes([naive, ours])
