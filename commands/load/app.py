"""`atectl load`: what loading capsules comes to, before any of them runs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from atectl.errors import UsageError
from atectl.load.plan import DEFAULT_CONCURRENCY, Plan
from atectl.units import parse_size

from ..options.compiling import CompileOptions, compile_limits
from ..options.help import CommandGroup
from ..options.signature import with_option_groups
from ..options.single import OutputOption
from ..output.stderr import report_warning
from ..output.stdout import Output, chart_width, print_json, print_view
from .options import (
    Baseline,
    BaselineOption,
    BudgetOption,
    ChartOption,
    FitsOption,
    JobsOption,
    LimitOption,
    NoCacheOption,
    PathsArgument,
    RecursiveOption,
)

if TYPE_CHECKING:
    from atectl.load.fitting import Judge
    from atectl.load.inputs import Item
    from atectl.load.run import Watched

app = CommandGroup()

LIST, BELOW = "-", "-"
SOMETHING_BAD = 1
_LOOK_BYTES = 4096
_MAX_PATH_BYTES = 4095
"""The longest path that the system takes."""


HELP = "\n\n".join(
    (
        "Load capsules, run none: judge, compile and instantiate each, and say what it needs.",
        "PATH is a capsule as it is, or compressed, encoded or in a workflow spec; a file of "
        "several such specs; a Capsule.toml; a folder, with --recursive; or - for what comes on "
        "stdin: a capsule, or a list of paths, one a line. What was loaded before is known by its "
        "content.",
        "Exit status: 0 all are ok, 1 one is not, 2 usage, 125 atectl failed, 130 or 143 ended by "
        "a signal.",
    )
)


@app.command(help=HELP)
@with_option_groups
def load(
    paths: PathsArgument,
    recursive: RecursiveOption = False,
    jobs: JobsOption = DEFAULT_CONCURRENCY,
    limit: LimitOption = None,
    *,
    compiling: CompileOptions,
    fits: FitsOption = None,
    budget: BudgetOption = None,
    no_cache: NoCacheOption = False,
    chart: ChartOption = None,
    baseline: BaselineOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Load capsules; `HELP` has the rest."""
    _check_chart(chart, output)
    judge = _judge(fits, budget)
    limit_bytes = None if limit is None else parse_size(limit)
    plan = Plan(jobs, limit_bytes, compile_limits(compiling), uses_cache=not no_cache)
    items = _items(paths, plan.compiling.max_capsule_bytes, recursive=recursive)
    if chart is not None and str(chart) != BELOW:
        _refuse_replacing(chart, items, budget)
    status = _load(plan, items, judge, chart, output, beside_naive=baseline is Baseline.naive)
    if status:
        raise typer.Exit(status)


def _load(
    plan: Plan,
    items: "list[Item]",
    judge: "Judge",
    chart: Path | None,
    output: Output,
    *,
    beside_naive: bool,
) -> int:
    """Load and show what comes of it. Returns the exit status."""
    from atectl.load.run import LoadRun

    from ..terminal.signals import ended_by_signals
    from .progress import progress

    with (
        LoadRun(plan) as run,
        ended_by_signals(lambda _: run.stop()) as received,
        progress(items) as told,
    ):
        loaded = run.load(items, judge, told, beside_naive=beside_naive)
    for warning in run.warnings:
        report_warning(warning)
    _show(loaded, chart, output)
    if received.ending is not None:
        return received.ending.status
    return SOMETHING_BAD if loaded.report.bad else 0


def _check_chart(chart: Path | None, output: Output) -> None:
    from ..output.files import output_place

    if chart is None:
        return
    if str(chart) != BELOW:
        output_place(chart).close()
    elif output is Output.json:
        raise UsageError("--chart - draws below the table, and -o json has none")


def _refuse_replacing(chart: Path, items: "list[Item]", budget: Path | None) -> None:
    """See that the chart replaces nothing that is read, and no result."""
    from ..output.files import refuse_clashes

    capsules = (("a capsule", item.path) for item in items)
    others = (("where the results go", 1), ("the budget file", budget), *capsules)
    refuse_clashes([("--chart", chart)], others)


def _items(paths: list[Path], max_bytes: int, *, recursive: bool) -> "list[Item]":
    from atectl.load.inputs import items

    named = _named(paths, max_bytes)
    found = list(items(named, recursive=recursive, max_bytes=max_bytes))
    if not found:
        raise UsageError("there is nothing to load", remedy="name a file, or a folder with files")
    return found


def _named(paths: list[Path], max_bytes: int) -> Iterator[Path]:
    from atectl.capsule.source import STDIN
    from atectl.load.inputs import listed

    for path in paths:
        if str(path) != LIST:
            yield path
        elif sys.stdin.isatty():
            raise UsageError("stdin is a terminal, and a list of paths is read from it")
        elif _has_capsule(STDIN, max_bytes):
            yield STDIN
        else:
            yield from listed(_lines_of_stdin())


def _has_capsule(stdin: Path, max_bytes: int) -> bool:
    """Whether a capsule comes on stdin, by how it begins; a list of paths begins otherwise."""
    from atectl.capsule.encodings import begins_as_capsule
    from atectl.capsule.piped import keep_piped

    keep_piped(stdin, max_bytes)
    try:
        return begins_as_capsule(os.pread(sys.stdin.fileno(), _LOOK_BYTES, 0))
    except OSError:
        return False  # some device


def _lines_of_stdin() -> Iterator[str]:
    from atectl.system.lines import lines_of

    lines = lines_of(sys.stdin.fileno(), _MAX_PATH_BYTES + len(b"\r\n"))
    for number, line in enumerate(lines, start=1):
        if len(line.rstrip(b"\r\n")) > _MAX_PATH_BYTES:
            raise UsageError(
                f"line {number} on stdin is longer than a path can be, {_MAX_PATH_BYTES} bytes",
                remedy="send a list of paths, one a line, or a capsule",
            )
        yield line.decode("utf-8", "surrogateescape")


def _judge(fits: str | None, budget: Path | None) -> "Judge":
    from atectl.load.fitting import fits_all, fits_budget, fits_quota

    judges = [] if fits is None else [fits_quota(parse_size(fits))]
    if budget is not None:
        from atectl.budget.file import load_budget

        judges.append(fits_budget(load_budget(budget)))
    return fits_all(judges)


def _show(loaded: "Watched", chart: Path | None, output: Output) -> None:
    if chart is not None and str(chart) != BELOW:
        _write_chart(loaded, chart)
    if output is Output.json:
        print_json(loaded.report)
        return
    from .view import load_view

    print_view(load_view(loaded.report), output)
    if chart is not None and str(chart) == BELOW:
        from .chart import panels_of
        from .chart_view import LoadChart

        for panel in panels_of(loaded):
            print()
            print_view(LoadChart(panel, chart_width()))


def _write_chart(loaded: "Watched", chart: Path) -> None:
    from atectl.errors import ReportUnwritable
    from atectl.system.files import replace_file

    from .chart import panels_of
    from .chart_svg import charts_svg

    try:
        replace_file(chart, charts_svg(panels_of(loaded)))
    except OSError as error:
        raise ReportUnwritable(f"{str(chart)!r}: {error.strerror}") from None
