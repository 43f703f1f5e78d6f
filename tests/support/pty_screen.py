"""A program on a real pseudo-terminal, and the screen that its user sees."""

import os
import select
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pexpect
import pyte

from tests.support.cells import Cells, FaintScreen, cells_of, lines_of
from tests.support.waiting import SOON_S

_SHELL = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def come_to_the_foreground():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
status = subprocess.Popen(sys.argv[1:], preexec_fn=come_to_the_foreground).wait()
sys.exit(status if status >= 0 else 128 - status)
"""

_MOST_PIECES = 16
"""How much is read before something is typed: there are programs that never stop writing."""


class PtyScreen:
    """A running program; `lines` is what its terminal shows now.

    Args:
        tells_size: whether the terminal says that it has so many columns and rows.
        has_shell: whether it has a parent that could continue it once it was stopped, as a shell
            could. Without one, the system does not let Ctrl-Z stop it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 100,
        rows: int = 24,
        tells_size: bool = True,
        has_shell: bool = False,
    ) -> None:
        if has_shell:
            command = [sys.executable, "-c", _SHELL, *command]
        size = (rows, columns) if tells_size else (0, 0)
        self.output = b""
        self._screen = FaintScreen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.process = pexpect.spawn(
            command[0],
            list(command[1:]),
            env={"TERM": "xterm-256color", **environment},
            dimensions=size,
            # Without this, a program could begin before its terminal has a size.
            preexec_fn=lambda: termios.tcsetwinsize(0, size),
            timeout=SOON_S,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.process.close(force=True)

    @property
    def foreground(self) -> int:
        """The group of processes that gets what is typed: the id of the program, has it a shell."""
        return os.tcgetpgrp(self.process.child_fd)

    @property
    def lines(self) -> list[str]:
        return lines_of(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def cells(self) -> Cells:
        """What its terminal shows now, with its colours."""
        return cells_of(self._screen)

    @property
    def cursor_row(self) -> int:
        row: int = self._screen.cursor.y
        return row

    def send(self, text: str) -> None:
        """Type something. What was written before is shown then, as on a terminal that keeps up:
        the system drops what nobody has read yet when Ctrl-C is typed."""
        for _ in range(_MOST_PIECES):
            if not (self._has_output() and self.read()):
                break
        self.process.send(text)

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def read(self) -> bool:
        """Take what the program has written since; False once it has ended."""
        try:
            data = self.process.read_nonblocking(65_536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            # It may have written just before its end, after pexpect had looked for output.
            data = self._rest()
        self.output += data
        self._stream.feed(data)
        return bool(data)

    def _rest(self) -> bytes:
        """What a program that has ended has written, and nobody has read; empty if nothing."""
        try:
            return os.read(self.process.child_fd, 65_536) if self._has_output() else b""
        except OSError:  # all was read
            return b""

    def _has_output(self) -> bool:
        """Whether there is something to read, or an end."""
        return bool(select.select([self.process.child_fd], [], [], 0)[0])

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until `condition` holds of the screen.

        Raises:
            AssertionError: it did not come to hold; the message has the screen.
        """
        deadline = time.monotonic() + SOON_S
        is_alive = True
        while not condition():
            assert is_alive, f"the program ended:\n{self.text}"
            assert time.monotonic() < deadline, f"it did not come about:\n{self.text}"
            is_alive = self.read()

    def until_shown(self, text: str) -> None:
        """Read until the screen shows `text`."""
        self.until(lambda: text in self.text)

    def end(self) -> int:
        """Read to the end of the program; its exit status, 128 + N for signal N."""
        deadline = time.monotonic() + SOON_S
        while self.read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
        self.process.close()
        if self.process.signalstatus is not None:
            return 128 + int(self.process.signalstatus)
        return int(self.process.exitstatus or 0)
