"""The charts and tables of recorded and replayed runs, as they look.

The pictures are under golden/; `ATECTL_REDRAW=1 pytest tests/views` draws them anew, and the
difference is then to be read.
"""

import re
from io import BytesIO, TextIOWrapper
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style

from atectl.accounting import Budget
from atectl.arbitration.view import Action
from atectl.commands.budget.simulate_view import (
    check_line,
    gap_lines,
    model_line,
    simulation_view,
    timeline_of_run,
)
from atectl.commands.drawing.timeline import (
    Point,
    Timeline,
    in_columns,
    on_common_axes,
    timeline_of,
)
from atectl.commands.drawing.timeline_chart import TimelineChart
from atectl.commands.drawing.timeline_svg import timeline_svg, timelines_svg
from atectl.commands.drawing.tones import FULL, NEAR, ROOM
from atectl.trace.check import Check, check
from atectl.trace.events import Header, Ruled, Trace
from atectl.trace.replay import ModelError, recorded_run, simulation_of
from atectl.trace.summary import summarise
from tests.support.golden import WIDTHS, assert_looks_like, drawn
from tests.support.trace_records import RECIPES

SVG = "{http://www.w3.org/2000/svg}"
BUDGET = Budget(1000)


def chart(name: str) -> TimelineChart:
    return TimelineChart(timeline_of_run(recorded_run(RECIPES[name].trace())))


def timeline(*points: Point, ends_s: float = 10.0) -> Timeline:
    return Timeline("title", BUDGET, ends_s, points, ())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["spilled", "aborted"])
def test_a_timeline(name: str, width: int) -> None:
    assert_looks_like(f"timeline-{name}-{width}", drawn(chart(name), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_simulation(width: int) -> None:
    trace = RECIPES["aborted"].trace()
    shown = simulation_of(trace, [("both", None)], [400 << 20, 50 << 20])
    view = simulation_view(shown, lists_decisions=False)
    assert_looks_like(f"simulation-{width}", drawn(view, width))


def test_every_decision_is_listed_if_so_asked() -> None:
    trace = RECIPES["spilled"].trace()
    shown = simulation_of(trace, [], [])
    few = drawn(simulation_view(shown), 120)
    all_ = drawn(simulation_view(shown, lists_decisions=True), 120)
    assert len(all_.splitlines()) == len(few.splitlines()) + len(shown.recorded.decisions) + 2


def test_a_chart_is_no_wider_than_it_may_be() -> None:
    shown = simulation_of(RECIPES["spilled"].trace(), [], [])
    lines = drawn(simulation_view(shown, 60), 120).splitlines()
    assert max(len(line) for line in lines[: lines.index("")]) <= 60
    assert max(len(line) for line in lines) > 60


def test_runs_are_drawn_on_one_time_axis_and_one_size_axis() -> None:
    short = timeline(Point(1.0, 500, 500), ends_s=5.0)
    large = timeline(Point(1.0, 3000, 500), ends_s=10.0)
    first, second = on_common_axes([short, large])
    assert (first.span_s, first.top_bytes) == (second.span_s, second.top_bytes)
    assert (first.span_s, first.top_bytes) == (10.0, large.top_bytes)
    assert [x is not None for x in in_columns(first, 10)] == [False] + [True] * 5 + [False] * 4
    assert drawn(TimelineChart(first), 60).count(" 10s") == 1
    assert timelines_svg([first, second]).count(">10s<") == 2


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


def test_pressure_past_hard_is_red_and_past_soft_orange() -> None:
    points = [Point(float(at), size, None) for at, size in enumerate([700, 900, 1100])]
    lines = Console(width=60).render_lines(TimelineChart(timeline(*points, ends_s=3.0)))
    styles = dict.fromkeys(each.style for each in lines[10] if "░" in each.text)
    assert list(styles) == [Style.parse(each) for each in (ROOM, NEAR, FULL)]


def test_what_was_decided_again_is_told() -> None:
    assert check_line(Check(1, ())).plain == "1 moment is decided again as recorded"
    assert check_line(Check(0, ())).plain == "nothing had to be decided in the recorded run"
    assert check_line(Check(2, (), 1)).plain == (
        "2 moments are decided again as recorded; 1 sample is again left alone"
    )
    ruling = Ruled(1.5, Action.PARK, 1, 9, None, "", None, 0, 0)
    assert check_line(Check(0, (), 0, (ruling,))).plain == (
        "1 ruling stands in the trace without a decision, the first at 1.50s"
    )
    trace = RECIPES["spilled"].trace()
    other = trace._replace(header=trace.header._replace(backpressure="none"))
    assert (
        "moments are decided otherwise than recorded, the first at"
        in check_line(check(other)).plain
    )


def test_how_far_replays_can_be_trusted_is_told() -> None:
    recorded = summarise(())._replace(makespan_s=10.0)
    begins = "replays are models: under the recorded rules one takes "
    told = model_line(ModelError(recorded, -1.0, -1, -(1 << 20))).plain
    assert told == begins + "10% less and spills 1 MiB less"
    told = model_line(ModelError(recorded, 0.01, 0, 0)).plain
    assert told == begins + "as long and spills as much"


def test_what_no_replay_knows_is_told() -> None:
    whole = summarise(())
    assert gap_lines(whole) == []
    lines = gap_lines(whole._replace(makespan_s=8.0, unfinished=12, aborted=(3,)))
    assert [line.plain for line in lines] == [
        "the trace ends at 8.00s with 12 leases unfinished; replays know no more of them",
        "1 lease ended by abort in the recorded run; replays know nothing of what would have "
        "come after",
    ]


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
