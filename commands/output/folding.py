"""Messages on a terminal: broken between words, where the terminal would break within them."""

from collections.abc import Iterator


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
    if len(text) <= columns:
        yield text
        return
    indent += " " * (len(text) - len(text.lstrip(" ")))
    line = ""
    for word in _words(text, between):
        longer = f"{line}{between}{word}" if line else word
        if len(longer) > columns and line.strip():
            yield line
            longer = indent + word
        line = longer
    yield line


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
