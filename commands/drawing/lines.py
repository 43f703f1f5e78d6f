"""What Rich draws, as lines of text."""

from io import StringIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment


class Unpadded:
    """A renderable without blanks at the ends of its lines."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self._inner, options, pad=False):
            kept = list(line)
            while kept and not kept[-1].text.rstrip():
                kept.pop()
            if kept:
                kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
            yield from kept
            yield Segment.line()


def text_lines(view: RenderableType, width: int, *, is_whole: bool = False) -> list[str]:
    """`view` on a terminal of `width` columns: a string with its colours for each line.

    There are no colours where NO_COLOR is set.

    Args:
        is_whole: whether nothing is left out; long rows then take several lines.
    """
    console = Console(file=StringIO(), force_terminal=True, width=width, highlight=False)
    with console.capture() as capture:
        console.print(view, overflow="fold" if is_whole else None)
    text = capture.get()
    return text.removesuffix("\n").split("\n") if text else []
