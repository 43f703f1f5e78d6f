"""How large a terminal is, where it does not say so or says nonsense."""

import os

FALLBACK = os.terminal_size((80, 24))
"""What is taken for a terminal that tells of no size, as one of a serial line or a CI."""

LARGEST_SCREEN = os.terminal_size((1000, 500))
"""The most that a live screen fills. Some terminals that know no size tell 65535 of each."""


def terminal_size(descriptor: int) -> os.terminal_size:
    """Columns and lines of the terminal at a descriptor; each from `FALLBACK` if it tells none.

    Raises:
        OSError: there is no terminal.
    """
    columns, lines = os.get_terminal_size(descriptor)
    return os.terminal_size((columns or FALLBACK.columns, lines or FALLBACK.lines))


def screen_size(descriptor: int) -> os.terminal_size:
    """Columns and lines of a terminal that a live screen fills: all, up to `LARGEST_SCREEN`.

    Raises:
        OSError: there is no terminal.
    """
    return os.terminal_size(map(min, terminal_size(descriptor), LARGEST_SCREEN))


def drawing_width(descriptor: int) -> int:
    """The columns to draw with on a terminal: what COLUMNS says, if that is no more than it has.

    Raises:
        OSError: there is no terminal.
    """
    columns = terminal_size(descriptor).columns
    said = os.environ.get("COLUMNS", "")
    is_said = said.isascii() and said.isdecimal() and 0 < len(said) < 5 and int(said) > 0
    return min(int(said), columns) if is_said else columns
