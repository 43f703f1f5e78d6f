"""Manual pages in the macros of man(7): one for `atectl`, and one for each command or group.

A page has no date, so that the same commands give the same pages.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from atectl import __version__

from ..app import SHORT_FORMS
from ..options.help_page import HelpPage, ValueHelp
from ..options.help_text import option_says
from ..options.tree import CommandLine

_STATUS = "Exit status: "
"""What the paragraph about exit statuses begins with."""

_SEPARATE = {"\\": "\\e", "-": "\\-", "\N{NO-BREAK SPACE}": "\\ "}


OF_ATECTL = re.compile(rb'\.TH "ATECTL[^"\n]*" 1 "" "atectl [^"\n]*" "User commands"\n')
"""What a page begins with, whatever version wrote it."""


def manual_pages(tree: CommandLine) -> dict[str, str]:
    """The text of each page by the name of its file."""
    tops = [each for each in tree.subcommands if each.path[0] not in SHORT_FORMS]
    pages = {"atectl.1": _page(tree, (), tuple(each.path[0] for each in tops))}
    for command in tops:
        pages[f"atectl-{command.path[0]}.1"] = _page(command, command.subcommands)
    return pages


def _page(
    command: CommandLine, below: tuple[CommandLine, ...], others: tuple[str, ...] = ()
) -> str:
    """One page, with the commands below as sections, and the names of other pages."""
    page = command.page
    name = page.name.replace(" ", "-")
    lines = [
        f'.TH "{_escaped(name.upper())}" 1 "" "atectl {__version__}" "User commands"',
        # Names are not to be torn, nor lines stretched.
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(name)} \\- {_text(command.summary)}",
        ".SH SYNOPSIS",
        *_synopsis(page),
        ".SH DESCRIPTION",
        *_paragraphs(page),
        *_commands(page),
        *_values(page, ".SH"),
        *_statuses(page, ".SH"),
        *_examples(page, ".SH"),
    ]
    for each in below:
        lines += [
            f'.SH "{_escaped(each.page.name.upper())}"',
            *_synopsis(each.page),
            ".PP",
            *_paragraphs(each.page),
            *_values(each.page, ".SS"),
            *_statuses(each.page, ".SS"),
            *_examples(each.page, ".SS"),
        ]
    return "\n".join([*lines, ".SH SEE ALSO", *_see_also(name, others)]) + "\n"


def _synopsis(page: HelpPage) -> Iterator[str]:
    yield f".B {_escaped(page.name)}"
    yield _escaped(page.usage)


def _paragraphs(page: HelpPage) -> Iterator[str]:
    shown = [each for each in page.paragraphs if not each.startswith(_STATUS)]
    for number, each in enumerate(shown):
        if number:
            yield ".PP"
        yield _text(each)


def _statuses(page: HelpPage, heading: str) -> Iterator[str]:
    for each in page.paragraphs:
        if each.startswith(_STATUS):
            yield _heading(heading, "Exit status")
            said = each.removeprefix(_STATUS)
            yield _text(said[0].upper() + said[1:])


def _commands(page: HelpPage) -> Iterator[str]:
    if page.commands:
        yield ".SH COMMANDS"
    for name, says in page.commands:
        yield from (".TP", f".B {_escaped(name)}", _text(says))


def _values(page: HelpPage, heading: str) -> Iterator[str]:
    if page.arguments:
        yield _heading(heading, "Arguments")
        for each in page.arguments:
            yield from (".TP", f".I {_escaped(each.metavar)}", _text(option_says(each)))
    groups = [(group, list(options)) for group, options in groupby(page.options, _group)]
    if len(groups) > 1 and heading == ".SH":
        yield _heading(".SH", "Options")
    for group, options in groups:
        yield _heading(heading if len(groups) == 1 else ".SS", group)
        for each in options:
            yield from (".TP", _names(each), _text(option_says(each)))


def _names(option: ValueHelp) -> str:
    names = ", ".join(f"\\fB{_escaped(name)}\\fP" for name in option.names)
    return f"{names} \\fI{_escaped(option.metavar)}\\fP" if option.metavar else names


def _group(option: ValueHelp) -> str:
    return option.group


def _examples(page: HelpPage, heading: str) -> Iterator[str]:
    if page.examples:
        yield _heading(heading, "Examples")
    for number, example in enumerate(page.examples):
        if number:
            yield ".PP"
        yield from (_text(f"{example.says}:"), ".RS 4", ".nf", _escaped(example.line), ".fi")
        yield ".RE"


def _see_also(name: str, others: tuple[str, ...]) -> Iterator[str]:
    if name != "atectl":
        yield ".BR atectl (1)"
    for number, other in enumerate(others):
        comma = "" if number == len(others) - 1 else ","
        yield f".BR atectl\\-{_escaped(other)} (1){comma}"


def _heading(macro: str, title: str) -> str:
    """A heading of a page, which is in capitals by custom, or of a part of it."""
    return f"{macro} {_escaped(title.upper() if macro == '.SH' else title)}"


def _text(text: str) -> str:
    """Running text; what stands in backticks is bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fP", _escaped(text))


def _escaped(text: str) -> str:
    """Text that roff takes as it is: no escape, no request at its beginning."""
    safe = "".join(
        _SEPARATE.get(sign, sign if sign.isascii() else f"\\[u{ord(sign):04X}]") for sign in text
    )
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
