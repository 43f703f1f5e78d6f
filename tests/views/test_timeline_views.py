"""The charts and tables of recorded and replayed runs, as they look.

The pictures are under golden/; `ATECTL_REDRAW=1 pytest tests/views` draws them anew, and the
difference is then to be read.
"""

import os
import re
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from atectl.accounting import Budget
from atectl.arbitration import Action
from atectl.commands.timeline import Point, Timeline, in_columns, timeline_of
from atectl.commands.timeline_svg import timeline_svg, timelines_svg
from atectl.commands.views.simulation import check_line, simulation_view, timeline_of_run
from atectl.commands.views.timeline import TimelineChart
from atectl.replay import Check, check, recorded_run, replayed_run
from atectl.trace import Header, Ruled, Trace
from tests.trace_records import RECIPES

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120)
SVG = "{http://www.w3.org/2000/svg}"
BUDGET = Budget(1000)


def drawn(view: RenderableType, width: int) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(view)
    lines = capture.get().splitlines()
    assert all(len(line) <= width for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def assert_looks_like(name: str, picture: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("ATECTL_REDRAW"):
        golden.write_text(picture, encoding="utf-8")
    assert picture == golden.read_text(encoding="utf-8")


def chart(name: str) -> TimelineChart:
    return TimelineChart(timeline_of_run(recorded_run(RECIPES[name].trace())))


def timeline(*points: Point, ends_s: float = 10.0) -> Timeline:
    return Timeline("title", BUDGET, ends_s, points, ())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["spilled", "aborted"])
def test_a_timeline(name: str, width: int) -> None:
    assert_looks_like(f"timeline-{name}-{width}.txt", drawn(chart(name), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_simulation(width: int) -> None:
    trace = RECIPES["aborted"].trace()
    runs = [recorded_run(trace), replayed_run(trace, "both", None, trace.header.budget)]
    view = simulation_view(runs, check(trace), lists_decisions=False)
    assert_looks_like(f"simulation-{width}.txt", drawn(view, width))


def test_every_decision_is_listed_if_so_asked() -> None:
    trace = RECIPES["spilled"].trace()
    run = recorded_run(trace)
    few = drawn(simulation_view([run], check(trace)), 120)
    all_ = drawn(simulation_view([run], check(trace), lists_decisions=True), 120)
    assert len(all_.splitlines()) == len(few.splitlines()) + len(run.decisions) + 2


def test_a_timeline_in_ascii() -> None:
    file = TextIOWrapper(BytesIO(), encoding="ascii")
    Console(file=file, width=80, color_system=None, highlight=False).print(chart("spilled"))
    file.seek(0)
    lines = file.read().splitlines()
    assert any("#" in line for line in lines)
    assert "s" in lines[-1].removeprefix("        spill")


@pytest.mark.parametrize("width", [1, 10, 29, 30, 61, 200])
def test_a_timeline_is_never_wider_than_its_terminal(width: int) -> None:
    drawn(chart("spilled"), width)


def test_a_timeline_of_nothing_has_its_limits() -> None:
    picture = drawn(TimelineChart(timeline(ends_s=0.0)), 60)
    assert "hard 1000 B" in picture
    assert "soft 800 B" in picture
    assert "█" not in picture


def test_a_title_is_inert() -> None:
    odd = timeline()._replace(title="\x1b[2J<b>&[red]")
    assert drawn(TimelineChart(odd), 60).startswith("\\x1b[2J<b>&[red]")
    assert "\\x1b[2J&lt;b&gt;&amp;[red]" in timelines_svg([odd])


def test_pressure_past_hard_is_red_and_past_soft_yellow() -> None:
    points = [Point(float(at), size, None) for at, size in enumerate([700, 900, 1100])]
    console = Console(
        file=StringIO(), width=60, force_terminal=True, color_system="standard", highlight=False
    )
    with console.capture() as capture:
        console.print(TimelineChart(timeline(*points, ends_s=3.0)))
    bottom = capture.get().splitlines()[10]
    colours = re.findall(r"\x1b\[([0-9;]+)m░", bottom)
    assert list(dict.fromkeys(colours)) == ["32", "33", "1;31"]


def test_what_was_decided_again_is_told() -> None:
    assert check_line(Check(1, ())).plain == "1 moment is decided again as recorded"
    assert check_line(Check(0, ())).plain == "nothing had to be decided in the recorded run"
    trace = RECIPES["spilled"].trace()
    other = trace._replace(header=trace.header._replace(backpressure="none"))
    assert (
        "moments are decided otherwise than recorded, the first at"
        in check_line(check(other)).plain
    )


def test_a_spill_that_failed_is_no_mark() -> None:
    failed = Ruled(1.0, Action.SPILL, 1, 9, 0, "failed: the disk is full", None, 0, 0)
    assert timeline_of("t", BUDGET, [failed]).marks == ()
    assert len(timeline_of("t", BUDGET, [failed._replace(reason="spilled")]).marks) == 1


# Columns


def test_a_column_shows_its_highest_moment() -> None:
    points = [Point(0.1, 5, 3), Point(0.2, 9, 1), Point(0.3, 4, 2)]
    (found,) = in_columns(timeline(*points, ends_s=1.0), 1)
    assert (found.pressure_bytes, found.resident_bytes) == (9, 3)


def test_a_column_without_a_moment_goes_on_from_the_latest_before() -> None:
    points = [Point(2.0, 9, 9), Point(2.5, 4, 4), Point(8.0, 1, 1)]
    found = in_columns(timeline(*points), 10)
    sizes = [None if point is None else point.pressure_bytes for point in found]
    assert sizes == [None, None, 9, 4, 4, 4, 4, 4, 1, 1]


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 2000)), min_size=1, max_size=50),
    st.integers(1, 100),
)
def test_no_peak_is_lost_in_columns(samples: list[tuple[float, int]], columns: int) -> None:
    points = [Point(at_s, size, None) for at_s, size in sorted(samples)]
    found = in_columns(timeline(*points), columns)
    assert len(found) == columns
    assert max(x.pressure_bytes for x in found if x is not None) == max(x for _, x in samples)


# SVG


def test_the_svg_of_a_trace() -> None:
    assert_looks_like("timeline-spilled.svg", timeline_svg(RECIPES["spilled"].trace()))


@pytest.mark.parametrize("name", RECIPES)
def test_an_svg_is_well_formed_and_small(name: str) -> None:
    text = timeline_svg(RECIPES[name].trace())
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert len(text) < 30_000


def test_an_svg_has_no_script_no_link_and_both_colour_schemes() -> None:
    text = timeline_svg(RECIPES["spilled"].trace())
    foreign = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"script|href|url\(|@import|@font-face|http", foreign)
    assert "prefers-color-scheme: dark" in text


def test_an_svg_marks_what_was_done_and_how_often() -> None:
    trace = RECIPES["aborted"].trace()
    root = ElementTree.fromstring(timeline_svg(trace))
    marks = {x.get("class"): x.get("d") for x in root.iter(f"{SVG}path")}
    assert "abort" in marks
    assert "spill" not in marks
    assert marks["abort"].count("M") == 3
    assert "3" in [x.text for x in root.iter(f"{SVG}text")]


def test_an_svg_without_resident_sizes_leaves_them_out() -> None:
    points = [Point(0.0, 500, None), Point(5.0, 900, None)]
    root = ElementTree.fromstring(timelines_svg([timeline(*points)]))
    areas = {x.get("class"): x.get("d") for x in root.iter(f"{SVG}path")}
    assert areas["resident"] == ""
    assert areas["charged"]
    assert "resident" not in [x.text for x in root.iter(f"{SVG}text")]


def test_the_charts_of_several_runs_stand_one_below_the_other() -> None:
    root = ElementTree.fromstring(timelines_svg([timeline(), timeline()]))
    places = [x.get("transform") for x in root.iter(f"{SVG}g")]
    assert places == ["translate(0 0)", "translate(0 380)"]
    assert root.get("height") == "760"


def test_a_trace_of_nothing_is_drawn_all_the_same() -> None:
    ElementTree.fromstring(timeline_svg(Trace(Header(BUDGET, "both", None, 1), ())))
