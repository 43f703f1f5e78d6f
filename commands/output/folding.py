"""Messages on a terminal: broken between words, where the terminal would break within them."""

from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def folded_on(stream: "TextIO", text: str, *, indent: int, between: str = " ") -> str:
    """`text` as it is written to a stream: `folded` for a terminal, as it is for all others."""
    if not stream.isatty():
        return text
    from ..terminal.size import drawing_width

    return folded(text, drawing_width(stream.fileno()), indent=indent, between=between)


def folded(text: str, columns: int, *, indent: int = 0, between: str = " ") -> str:
    """`text` in lines of at most so many columns, if its words allow that.

    What is within backquotes is one word: it can be copied as it is.

    Args:
        indent: the spaces before what goes on in the next line, more than before the first.
        between: what stands between two words; not where a line is broken.
    """
    return "\n".join(
        line
        for each in text.split("\n")
        for line in _lines(each, max(columns, 1), " " * indent, between)
    )


def _lines(text: str, columns: int, indent: str, between: str) -> Iterator[str]:
    if _width(text) <= columns:
        yield text
        return
    indent += " " * (len(text) - len(text.lstrip(" ")))
    line = ""
    for word in _words(text, between):
        longer = f"{line}{between}{word}" if line else word
        if _width(longer) > columns and line.strip():
            yield line
            longer = indent + word
        line = longer
    yield line


def _width(text: str) -> int:
    """The columns that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _words(text: str, between: str) -> Iterator[str]:
    """The words of a line; its first has the spaces before it."""
    rest = text.lstrip(" ")
    word = " " * (len(text) - len(rest))
    for place, each in enumerate(rest.split(between)):
        word = f"{word}{between}{each}" if place and word.strip() else word + each
        if word.count("`") % 2 == 0:
            yield word
            word = ""
    if word:
        yield word
