"""Help as text: fits any width from some 40 columns on, and cuts nothing."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from textwrap import wrap

from .help_page import HelpPage, ValueHelp

_TWO_COLUMNS_FROM = 76
"""Narrower, what an option is for stands below its name."""

_WIDEST_NAMES = 28
_WIDEST = 100

_DEFAULT = "[default: "
_GLUE = "\N{NO-BREAK SPACE}"

Rows = Iterable[tuple[str, str]]


def help_text(page: HelpPage, width: int, heading: Callable[[str], str] = str) -> str:
    """The text of a page.

    Args:
        width: in columns; more than 100 are not used, as such lines are hard to read.
        heading: how a heading is written.
    """
    width = min(width, _WIDEST)
    parts = [_indented(f"{heading('Usage:')} {page.name} {page.usage}", width, len(heading("")))]
    parts += ["\n".join(_wrapped(each, width)) for each in page.paragraphs]
    sections: list[tuple[str, Rows]] = [
        ("Arguments", ((each.metavar, option_says(each)) for each in page.arguments)),
        ("Commands", page.commands),
    ]
    for group, options in groupby(page.options, lambda each: each.group):
        sections.append((group, [(option_names(each), option_says(each)) for each in options]))
    for title, rows in sections:
        lines = list(_rows(rows, width))
        if lines:
            parts.append("\n".join((heading(f"{title}:"), *lines)))
    if page.examples:
        parts.append("\n".join((heading("Examples:"), *_examples(page, width))))
    return "\n\n".join(parts)


def option_names(option: ValueHelp) -> str:
    """All names of an option with its value. The long ones of all options begin in one column."""
    names = ", ".join(option.names)
    indent = "    " if names.startswith("--") else ""
    return f"{indent}{names} {option.metavar}".rstrip()


def option_says(option: ValueHelp) -> str:
    """What an option is for, and its default: always in the same way."""
    return f"{option.says} {_DEFAULT}{option.default}]" if option.default else option.says


def _rows(rows: Rows, width: int) -> Iterator[str]:
    listed = list(rows)
    longest = max((len(left) for left, _ in listed), default=0)
    column = 2 + min(longest, _WIDEST_NAMES) + 2
    for left, right in listed:
        if width < _TWO_COLUMNS_FROM:
            yield f"  {left}"
            yield from _wrapped(right, width, 8)
            continue
        lines = _wrapped(right, width - column)
        if len(left) > column - 4 or not lines:
            yield f"  {left}"
        else:
            yield f"  {left}".ljust(column) + lines.pop(0)
        yield from (" " * column + line for line in lines)


def _examples(page: HelpPage, width: int) -> Iterator[str]:
    for example in page.examples:
        yield from _wrapped(f"{example.says}:", width, 2)
        yield f"    {example.line}"


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    space = " " * indent
    lines = wrap(
        text.replace(_DEFAULT, _DEFAULT.replace(" ", _GLUE)), width,
        initial_indent=space, subsequent_indent=space,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(_GLUE, " ") for line in lines]


def _indented(text: str, width: int, invisible: int) -> str:
    return "\n".join(wrap(text, width + invisible, subsequent_indent="  "))
