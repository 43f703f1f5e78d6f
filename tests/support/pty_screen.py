"""A program on a real pseudo-terminal, and the screen that its user sees."""

import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pexpect
import pyte

from tests.support.cells import Cells, FaintScreen, cells_of
from tests.support.waiting import SOON_S


class PtyScreen:
    """A running program; `lines` is what its terminal shows now.

    Args:
        tells_size: whether the terminal says that it has so many columns and rows.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 100,
        rows: int = 24,
        tells_size: bool = True,
    ) -> None:
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
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

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
            return False
        self.output += data
        self._stream.feed(data)
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until `condition` holds of the screen.

        Raises:
            AssertionError: it did not come to hold; the message has the screen.
        """
        deadline = time.monotonic() + SOON_S
        while not condition():
            is_alive = self.read()
            if condition():
                return
            assert is_alive, f"the program ended:\n{self.text}"
            assert time.monotonic() < deadline, f"it did not come about:\n{self.text}"

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
