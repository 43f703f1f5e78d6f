"""What Rich draws, as lines of text."""

from io import StringIO

from rich.console import Console, RenderableType


def text_lines(view: RenderableType, width: int) -> list[str]:
    """`view` on a terminal of `width` columns: a string with its colours for each line.

    There are no colours where NO_COLOR is set.
    """
    console = Console(file=StringIO(), force_terminal=True, width=width, highlight=False)
    with console.capture() as capture:
        console.print(view)
    text = capture.get()
    return text.removesuffix("\n").split("\n") if text else []
