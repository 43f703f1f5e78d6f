"""A plot of memory over time, as parts of an SVG file: areas, limits, and a time axis."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from atectl.inert import inert_line
from atectl.units import show_size

from .ticks import size_ticks, tick_text, time_ticks


class Plot(NamedTuple):
    """Where a plot is in its picture, and how long its axes are. Edges are in pixels."""

    left: int
    right: int
    top: int
    bottom: int
    span_s: float
    top_bytes: int

    def x(self, at_s: float) -> float:
        share = at_s / self.span_s if self.span_s > 0 else 0.0
        return self.left + (self.right - self.left) * share

    def y(self, size: int) -> float:
        return self.bottom - (self.bottom - self.top) * size / self.top_bytes

    def area(self, name: str, sizes: Sequence[int | None]) -> str:
        """A filled step line over the whole time, with gaps where the size is unknown."""
        step = (self.right - self.left) / len(sizes)
        path, is_open = "", False
        for place, size in enumerate(sizes):
            x = self.left + place * step
            if size is None:
                path += f"V{self.bottom}z" if is_open else ""
            else:
                path += "" if is_open else f"M{x:.1f} {self.bottom}"
                path += f"V{self.y(size):.1f}H{x + step:.1f}"
            is_open = size is not None
        return f'<path class="{name}" d="{path}{f"V{self.bottom}z" if is_open else ""}"/>'

    def limit(self, name: str, size: int) -> str:
        """A line across the plot, with its name and size to the right."""
        y = self.y(size)
        return (
            f'<line class="{name}" x1="{self.left}" x2="{self.right}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>\n'
            f'<text x="{self.right + 6}" y="{y + 4:.1f}">{name} {inert(show_size(size))}</text>'
        )

    def frame(self) -> str:
        return (
            f'<rect class="frame" x="{self.left}" y="{self.top}" '
            f'width="{self.right - self.left}" height="{self.bottom - self.top}"/>'
        )

    def size_axis(self) -> list[str]:
        """Round sizes to the left, with a line across the plot for each."""
        parts = []
        for size in size_ticks(self.top_bytes):
            y = self.y(size)
            parts.append(
                f'<line class="grid" x1="{self.left}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            place = f'x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end"'
            parts.append(f'<text class="quiet" {place}>{inert(show_size(size))}</text>')
        return parts

    def time_axis(self) -> list[str]:
        """Round times below, each with a mark."""
        return [self._moment(at_s, tick_text(at_s)) for at_s in time_ticks(self.span_s)]

    def time_axis_to_now(self) -> list[str]:
        """The same, counted back from the right edge, which is now."""
        return [
            self._moment(self.span_s - ago_s, f"{tick_text(ago_s)} ago" if ago_s else "now")
            for ago_s in time_ticks(self.span_s)
        ]

    def _moment(self, at_s: float, text: str) -> str:
        x = f"{self.x(at_s):.1f}"
        return (
            f'<line class="tick" x1="{x}" x2="{x}" y1="{self.bottom}" y2="{self.bottom + 4}"/>'
            f'<text class="quiet" x="{x}" y="{self.bottom + 16}" '
            f'text-anchor="middle">{text}</text>'
        )


def picture(width: int, height: int, title: str, style: Path, charts: Sequence[str]) -> str:
    """The text of an SVG file. It has no script and no font, and adapts to light and dark."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'width="{width}" height="{height}">',
            f"<title>{inert(title)}</title>",
            f"<style>{style.read_text(encoding='utf-8').strip()}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            *charts,
            "</svg>\n",
        ]
    )


def inert(text: str) -> str:
    """Text from outside, as it may stand in an SVG file."""
    return escape(inert_line(text))


def without_middle(text: str, length: int) -> str:
    """A name in at most so many characters: its beginning, and as much of its end."""
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return f"{text[: length - 1 - end]}…{text[len(text) - end :]}"
