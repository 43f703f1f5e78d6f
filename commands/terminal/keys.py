"""The terminal while a screen is live: keys as they are pressed, and everything back as it was."""

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from .frames import END_FRAME

_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[2J"  # alternate screen, no cursor, cleared
# Cleared first: tmux otherwise mixes what is on it into the other screen after a resize.
_LEAVE = END_FRAME.encode() + b"\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"

_ESCAPE_DELAY_S = 0.05
"""How long the rest of a sequence may take to come before ESC counts as the key itself."""

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
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x15": "ctrl-u",
}


class KeyDecoder:
    """Names of keys from the bytes a terminal sends for them, which may come cut anywhere.

    A printable ASCII key is its character; others are `up down page-up page-down home end enter esc
    backspace ctrl-u`. What has no name is dropped.
    """

    def __init__(self) -> None:
        self._pending = b""

    @property
    def is_waiting(self) -> bool:
        """Whether what came so far may be the beginning of a key."""
        return bool(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete with `data`."""
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
        """The key that was waited for in vain: ESC, if nothing followed it."""
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
    """The terminal on stdin and stdout, switched to a screen of its own while it is entered.

    Keys come unechoed and one at a time; Ctrl-C and Ctrl-Z still send their signals. Every method
    raises `TerminalGone` where there is no terminal any more, except that leaving it is no failure.
    """

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self._decoder = KeyDecoder()

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

    def resume(self) -> None:
        """Take the alternate screen, and keys as they are pressed."""
        with _or_gone():
            tty.setcbreak(self._input)
        self.write(_ENTER)

    def suspend(self) -> None:
        """Give the terminal back as it was."""
        # Where it was hung up, there is nothing left to restore.
        with suppress(TerminalGone), _or_gone():
            self.write(_LEAVE)
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._modes)

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with _or_gone():
            return os.get_terminal_size(self._output)

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


@contextmanager
def _or_gone() -> Iterator[None]:
    try:
        yield
    except (OSError, termios.error):
        raise TerminalGone from None
