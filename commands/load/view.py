"""What loading came to: a line for each capsule, and each that is bad with its reason."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.load.results import LoadedCapsule, LoadReport
from atectl.units import counted, format_duration, format_size, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, HEADING


def load_view(report: LoadReport) -> RenderableType:
    """A table of all capsules, what is wrong with those that are bad, and a line on the whole."""
    parts: list[RenderableType] = [LineTable(_COLUMNS, report.capsules, tells_hidden=True)]
    bad = [row for row in report.capsules if not row.is_ok]
    if bad:
        parts.append(Text())
        parts += [_reason(row) for row in bad]
    return Group(*parts, Text(), _summary(report))


def _reason(row: LoadedCapsule) -> RenderableType:
    code = f"[{row.code}]" if row.code else ""
    line = Text.assemble((f"{row.verdict}{code}", ALARM), f": {inert_line(row.reason or '')}")
    folder = Path(row.path).parent
    where = Text(f"  in {inert_line(str(folder))}")
    has_place = (row.reason or "").startswith(row.path)
    return line if has_place or str(folder) == "." else Group(line, where)


def _summary(report: LoadReport) -> Text:
    count = len(report.capsules)
    good = f"{counted(count, 'capsule')}, {report.bad} bad" if report.bad else f"{count} ok"
    parts = [good, format_duration(report.wall_s)]
    if report.peak_bytes is not None:
        parts.append(
            f"at most {show_size(report.peak_bytes)} held, of {show_size(report.limit_bytes)}"
        )
    if report.naive is not None and report.naive.peak_bytes is not None:
        took = format_duration(report.naive.wall_s)
        parts.append(f"naive: {took}, {show_size(report.naive.peak_bytes)}")
    return Text(" · ".join(parts))


def _verdict(row: LoadedCapsule) -> Text:
    return Text(row.verdict, style="" if row.is_ok else ALARM)


def _size(size: int | None) -> str:
    return "-" if size is None else show_size(size)


def _least(row: LoadedCapsule) -> str:
    if row.min_memory_bytes is None:
        return "-"
    return "none" if row.min_memory_bytes == 1 else format_size(row.min_memory_bytes)


def _kind(row: LoadedCapsule) -> str:
    form = " text" if row.form == "text" else ""
    encoded = f" in {', '.join(row.encodings)}" if row.encodings else ""
    return f"{row.kind or '-'}{form}{encoded}"


def _imports(row: LoadedCapsule) -> Text | str:
    if row.kind is None:
        return "-"
    missing = len(row.missing_imports)
    if missing:
        return Text(f"{missing} missing", style=HEADING)
    return f"{len(row.imports)} met" if row.imports else "none"


def _compiled(row: LoadedCapsule) -> str:
    return "-" if row.compile_s is None else format_duration(row.compile_s)


def _name(row: LoadedCapsule) -> str:
    if row.package is None:
        return row.path
    return f"{row.path} ({' '.join(filter(None, (row.package, row.version)))})"


_COLUMNS: tuple[Column[LoadedCapsule], ...] = (
    Column("capsule", "CAPSULE", _name, 24, 1, grows=True, is_name=True),
    Column("verdict", "VERDICT", _verdict, 11, 0),
    Column("kind", "KIND", _kind, 14, 4, grows=True),
    Column("imports", "IMPORTS", _imports, 9, 6, grows=True),
    Column("least", "STARTS WITH", _least, 11, 2, is_right=True),
    Column("time", "COMPILED IN", _compiled, 11, 5, is_right=True),
    Column("peak", "WITH", lambda row: _size(row.compile_peak_bytes), 8, 7, is_right=True),
    Column("artifact", "ARTIFACT", lambda row: _size(row.artifact_bytes), 8, 8, is_right=True),
    Column("cached", "CACHED", lambda row: "yes" if row.cached else "no", 6, 3),
)
