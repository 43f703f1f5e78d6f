"""Waiting, with the time that is left shown on a terminal."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from atectl.inert import inert_line
from atectl.system.clock import boottime

from ..output.stderr import is_quiet
from .frames import can_draw
from .front import is_in_front
from .signals import leaving_at_quit
from .size import drawing_width

_ECHO = "^C"
"""What a terminal shows behind the line when Ctrl-C is pressed."""


class _StatusLine:
    """A line that is shown, to be taken away by `leaving_at_quit`."""

    def leave_at_once(self) -> None:
        """Erase it, for a program that is about to end; safe in a signal handler."""
        # A terminal that is stopped by Ctrl-S takes nothing, and must not hold up the end.
        if select.select([], [2], [], 0)[1]:
            with suppress(OSError):
                os.write(2, b"\r\x1b[K")


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """A line on stderr that can be rewritten, and is erased at the end. An empty one erases it too.

    Nothing is shown off a terminal, on one that cannot erase a line, in the background, and with
    `--quiet`. It is for the main thread, which receives Ctrl-\\.
    """
    is_terminal = sys.stderr.isatty() and can_draw() and not is_quiet()
    is_shown = False

    def show(text: str) -> None:
        nonlocal is_shown
        if is_terminal and is_in_front(2):
            is_shown = bool(text)
            sys.stderr.write(f"\r{_in_one_line(inert_line(text))}\x1b[K")
            sys.stderr.flush()

    with leaving_at_quit([_StatusLine()] if is_terminal else []):
        try:
            yield show
        finally:
            if is_shown:
                show("")


def count_down(seconds: float, doing: Callable[[int], str]) -> None:
    """Wait. Time in which the machine is suspended counts.

    Args:
        seconds: how long to wait.
        doing: the text to show, given the whole seconds that are left.
    """
    ends_at = boottime() + seconds
    if sys.stderr.isatty() and not can_draw() and not is_quiet():
        # No line can be rewritten here: say once what is waited for.
        print(inert_line(doing(max(round(seconds), 1))), file=sys.stderr)
    with status_line() as show:
        while (left := ends_at - boottime()) > 0:
            show(doing(max(round(left), 1)))
            time.sleep(min(left, 1.0))


def _in_one_line(text: str) -> str:
    """`text`, cut to fit, also with an echo: what goes on in the next line could not be erased."""
    most = max(drawing_width(sys.stderr.fileno()) - 1 - len(_ECHO), 1)
    return text if len(text) <= most else f"{text[: most - 1]}…"
