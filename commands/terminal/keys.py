"""The terminal while it shows a live screen: its keys, and its modes, which are restored."""

import errno
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from .frames import END_FRAME
from .front import is_in_front, stop_behind
from .size import screen_size

_NO_CURSOR_CLEARED = b"\x1b[?25l\x1b[2J"
_ENTER = b"\x1b[?1049h" + _NO_CURSOR_CLEARED  # on the alternate screen
# The alternate screen is cleared before it is left: after a resize, tmux would otherwise mix its
# lines into the main screen.
_LEAVE = END_FRAME.encode() + b"\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"

_ESCAPE_DELAY_S = 0.05
"""How long to wait for the rest of an escape sequence, before ESC counts as the Esc key."""

_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[@-~]")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?")
_NAMED = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
    b"\x1b[H": "home",
    b"\x1bOH": "home",
    b"\x1b[1~": "home",
    b"\x1b[7~": "home",
    b"\x1b[F": "end",
    b"\x1bOF": "end",
    b"\x1b[4~": "end",
    b"\x1b[8~": "end",
    b"\t": "tab",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x15": "ctrl-u",
}


class KeyDecoder:
    """Turns the bytes that a terminal sends into names of keys. They may be cut anywhere.

    The name of a printable ASCII key is its character. Other keys are `up down page-up page-down
    home end tab enter esc backspace ctrl-u`. A key without a name is dropped.
    """

    def __init__(self) -> None:
        self._pending = b""

    @property
    def is_waiting(self) -> bool:
        """Whether the last bytes may be the beginning of an escape sequence."""
        return bool(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """The names of the keys that `data` completes."""
        data = self._pending + data
        self._pending = b""
        keys = []
        while data:
            if _UNFINISHED.fullmatch(data):
                self._pending = data
                break
            sequence = _SEQUENCE.match(data)
            token = sequence[0] if sequence else data[:1]
            data = data[len(token) :]
            keys += _name(token)
        return keys

    def flush(self) -> list[str]:
        """The Esc key, if ESC came and nothing followed it."""
        pending, self._pending = self._pending, b""
        return ["esc"] if pending == b"\x1b" else []


def _name(token: bytes) -> list[str]:
    if token == b"\x1b":
        return ["esc"]
    if token in _NAMED:
        return [_NAMED[token]]
    return [token.decode("ascii")] if len(token) == 1 and 0x20 <= token[0] < 0x7F else []


class TerminalGone(Exception):
    """The terminal was closed, or hung up."""


class LiveTerminal:
    """The terminal on stdin and stdout, switched to the alternate screen while it is entered.

    Keys are read one at a time and not echoed; Ctrl-C, Ctrl-\\ and Ctrl-Z still send their signals.
    Every method raises `TerminalGone` if the terminal is gone, except those that leave it.
    """

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self._decoder = KeyDecoder()
        self._is_shown = False

    def __enter__(self) -> Self:
        with _or_gone():
            self._modes = termios.tcgetattr(self._input)
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.suspend()

    @property
    def is_in_front(self) -> bool:
        """Whether keys come to this program, and not to another job of the shell."""
        return is_in_front(self._input)

    def stop_behind(self) -> None:
        """Have this program, which is not in front, stopped until it is continued."""
        with _or_gone():
            stop_behind(self._input)

    def resume(self) -> None:
        """Switch to the alternate screen, and read keys as they are pressed."""
        with _or_gone():
            self._is_shown = True
            _whole(lambda: tty.setcbreak(self._input))
        self.write(_ENTER)

    def repair(self) -> None:
        """Set again what another program may have changed while this one was stopped unasked."""
        with _or_gone():
            _whole(lambda: tty.setcbreak(self._input))
        self.write(_NO_CURSOR_CLEARED)

    def suspend(self) -> None:
        """Switch back to the main screen, and restore the modes of the terminal; idempotent."""
        # If it was hung up, there is nothing to restore; and behind, they are another job's.
        if not self._is_shown:
            return
        with suppress(TerminalGone), _or_gone():
            self.write(_LEAVE)
            if self.is_in_front:
                _whole(lambda: termios.tcsetattr(self._input, termios.TCSADRAIN, self._modes))
            self._is_shown = False

    def leave_at_once(self) -> None:
        """Do what `suspend` does, if it is to be done; safe in a signal handler."""
        if not self._is_shown:
            return
        with suppress(TerminalGone), _or_gone():
            # A terminal that is stopped by Ctrl-S takes nothing, and must not hold up the end.
            if select.select([], [self._output], [], 0)[1]:
                self.write(_LEAVE)
            termios.tcsetattr(self._input, termios.TCSANOW, self._modes)

    def size(self) -> tuple[int, int]:
        """Columns and lines that a screen fills."""
        with _or_gone():
            return screen_size(self._output)

    def write(self, data: bytes) -> None:
        with _or_gone():
            while data:
                data = data[os.write(self._output, data) :]

    def wait(self, timeout_s: float | None, *others: int) -> bool:
        """Wait until there is a key or one of `others` is readable; whether there is a key."""
        ready, _, _ = select.select([self._input, *others], [], [], timeout_s)
        return self._input in ready

    def read_keys(self) -> Iterator[str]:
        """The keys that have been pressed."""
        yield from self._read()
        while self._decoder.is_waiting:
            if not select.select([self._input], [], [], _ESCAPE_DELAY_S)[0]:
                yield from self._decoder.flush()
                return
            yield from self._read()

    def _read(self) -> list[str]:
        with _or_gone():
            data = os.read(self._input, 1024)
        if not data:
            raise TerminalGone
        return self._decoder.feed(data)


def _whole(set_modes: Callable[[], object]) -> None:
    """Set modes of a terminal, also if a signal comes while what was written drains."""
    while True:
        try:
            set_modes()
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
        else:
            return


@contextmanager
def _or_gone() -> Iterator[None]:
    try:
        yield
    except (OSError, termios.error):
        raise TerminalGone from None
