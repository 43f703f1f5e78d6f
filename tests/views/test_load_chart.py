"""What was held while capsules were loaded, as charts: in a terminal, and as SVG."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from atectl.commands.load import chart as chart_module
from atectl.commands.load.chart import Panel, in_columns, levels, on_common_axes, panel_of
from atectl.commands.load.chart_svg import charts_svg
from atectl.commands.load.chart_view import LoadChart
from atectl.load.memory_watch import PHASES, Sample
from tests.support.golden import WIDTHS, assert_looks_like, drawn

MIB = 1 << 20
SVG = "{http://www.w3.org/2000/svg}"

NAIVE = tuple(Sample(at / 10, 0, {"host": 40 * MIB + at * 20 * MIB}) for at in range(40))
OURS = tuple(
    Sample(
        at / 10,
        60 * MIB,
        {
            "host": 60 * MIB,
            "decode": 30 * MIB if at % 20 < 4 else 0,
            "compile": (at % 20) * 10 * MIB if 4 <= at % 20 < 18 else 0,
            "store": 150 * MIB if at % 20 >= 18 else 0,
        },
    )
    for at in range(60)
)


def panels() -> list[Panel]:
    return on_common_axes(
        [
            panel_of("Naive: 3 in 4.00s, all held", NAIVE, host_name="one process"),
            panel_of("atectl load: 3 capsules in 6.00s", OURS, 300 * MIB),
        ]
    )


def test_phases_lie_over_one_another() -> None:
    reached = levels(Sample(0.0, 5, {"host": 5, "read": 3, "compile": 10}))
    assert (reached["compile"], reached["read"], reached["host"]) == (18, 8, 5)


def test_a_part_without_a_sample_has_the_one_before_it_and_none_is_after_the_last() -> None:
    samples = [
        Sample(0.0, 1, {"host": 1}),
        Sample(4.9, 2, {"host": 2}),
        Sample(5.0, 9, {"host": 9}),
    ]
    panel = panel_of("some", samples)._replace(span_s=10.0)
    shown = [None if each is None else each.total_bytes for each in in_columns(panel, 10)]
    assert shown == [1, 1, 1, 1, 2, 9, None, None, None, None]


def test_panels_share_their_axes() -> None:
    naive, ours = panels()
    assert naive.span_s == ours.span_s == 5.9
    assert naive.top_bytes == ours.top_bytes > 820 * MIB


def test_a_limit_far_above_all_is_left_out() -> None:
    [panel] = on_common_axes([panel_of("some", OURS, 1 << 40)])
    assert panel.limit_bytes is None
    assert panel.top_bytes < 400 * MIB


def test_each_phase_that_is_held_has_its_colour_in_the_style() -> None:
    style = Path(chart_module.__file__).with_name("chart.css").read_text()
    assert all(style.count(f".{phase} {{") == 2 for phase in PHASES)


def test_the_svg_has_a_chart_for_each_and_text_from_outside_is_inert() -> None:
    odd = panel_of("\x1b[2J<b>&", OURS, 300 * MIB)
    root = ET.fromstring(charts_svg([odd, *panels()]))
    assert len(root.findall(f"{SVG}g")) == 3
    assert "\\x1b[2J<b>&" in "".join(root.itertext())


def test_the_svg_of_both() -> None:
    assert_looks_like("load-chart.svg", charts_svg(panels()))


def test_nothing_seen_is_drawn_as_nothing() -> None:
    [panel] = on_common_axes([panel_of("nothing", [])])
    ET.fromstring(charts_svg([panel]))
    assert "nothing" in drawn(LoadChart(panel), 60)


@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_terminal(width: int) -> None:
    pictures = [drawn(LoadChart(panel), width) for panel in panels()]
    assert_looks_like(f"load-chart-{width}", "\n".join(pictures))
