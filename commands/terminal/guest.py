"""The guest's output on its way to a terminal: made inert, with a live table kept below it.

The guest writes to a pseudo-terminal instead of to the user's terminal. So it still sees a
terminal, and its stdout and stderr keep their order. What it writes is copied from there.

The table is drawn below the cursor, and the cursor is put back to where the guest left it. So
what the user types is echoed where it would be without the table. While the guest waits for input
the table is taken away.
"""

import os
import select
import stat
import termios
import threading
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from atectl.inert import NO_COLOURS, InertStream, ScreenStream, inert_line

from .frames import can_draw, frame
from .front import is_in_front
from .live import Live
from .size import terminal_size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .events import Resized

State = TypeVar("State")
Event = TypeVar("Event")

_INTERVAL_S = 0.1
_FIRST_LOOK_S = 0.2
"""A guest that ends sooner is not worth a table that flashes by."""

_FREE_LINES = 2
"""What the terminal keeps free of the table: the cursor's line, and one above."""
_FREE_COLUMNS = 1
"""The last column is left free: some terminals wrap behind it."""

_READ_BYTES = 1 << 16
_ERASE_BELOW = f"\x1b7{NO_COLOURS}\x1b[E\x1b[J\x1b8"
_ERASE_REST_OF_LINE = "\x1b[K"
_OVER_ECHO = "\r  \r"

Controls = Literal["colours", "none", "all"]
"""Colours and carriage returns within a line; none; or all that a guest writes."""


def has_place_for_table(wanted: bool | None) -> bool:
    """Whether to keep a table below the output, on the terminal that stderr leads to.

    Args:
        wanted: whether the user wants it; None if the user did not say.
    """
    if wanted is None:
        # The program behind a pipe may write to the same terminal, over the table.
        wanted = not stat.S_ISFIFO(os.fstat(1).st_mode)
    return wanted and os.isatty(2) and can_draw()


def live_table(
    state: State,
    look: Callable[[], Event],
    reduce: "Callable[[State, Resized | Event], State]",
    view: "Callable[[State], RenderableType]",
) -> Live[State, Event]:
    """A table to keep below the output: see `Live` for the arguments."""
    return Live(state, look, reduce, view, interval_s=_INTERVAL_S, first_look_s=_FIRST_LOOK_S)


def terminals() -> list[tuple[int, ...]]:
    """The terminals among stdout and stderr, each with the descriptors that lead to it."""
    found: dict[int, list[int]] = {}
    for descriptor in (1, 2):
        if os.isatty(descriptor):
            found.setdefault(os.fstat(descriptor).st_rdev, []).append(descriptor)
    return [tuple(descriptors) for descriptors in found.values()]


class GuestTerminal:
    """Stands between a guest and one terminal, from `start` to `stop`.

    Args:
        descriptors: those of stdout and stderr that lead to the terminal.
        live: the table to keep below the output, None for no table. It is closed by `stop`.
        controls: which of the guest's terminal controls are passed on.
    """

    def __init__(
        self, descriptors: tuple[int, ...], live: Live[Any, Any] | None, controls: Controls
    ) -> None:
        self._descriptors = descriptors
        self._live = live
        self._output = _stream(controls)
        self._terminal = os.dup(descriptors[0])
        self._saved = [os.dup(descriptor) for descriptor in descriptors]
        self._table: Sequence[str] = ()
        self._is_at_line_start = True
        self._stopping = False
        self._is_suspended = False
        self._covers_echo = False
        # Held while something is written. Reentrant: a signal handler may interrupt the main thread
        # while that holds it, and write itself.
        self._writing = threading.RLock()
        self._thread = threading.Thread(target=self._relay, name="guest terminal", daemon=True)

    def start(self) -> None:
        """Put the pseudo-terminal in the place of the terminal."""
        self._guest_end, guests = os.openpty()
        tty.setraw(guests)
        self._follow_size()
        for descriptor in self._descriptors:
            os.dup2(guests, descriptor)
        os.close(guests)
        self._thread.start()

    def stop(self, put_back: Callable[[int, int], object] = os.dup2) -> None:
        """Copy what the guest wrote last, take the table away, and put the terminal back.

        Args:
            put_back: called for each descriptor with one of the terminal, and with it. It matters
                where a guest was given up that may write on.
        """
        self._stopping = True
        for saved, descriptor in zip(self._saved, self._descriptors, strict=True):
            put_back(saved, descriptor)
        self._thread.join()
        if self._live is not None:
            self._live.close()
        self._write(self._erasure() + (self._covering() if self._is_at_line_start else "\n"))

    def cover_echo(self) -> None:
        """Have lines begin where the terminal may have echoed Ctrl-C; safe in a signal handler."""
        self._covers_echo = True

    def leave_at_once(self) -> None:
        """Take the table away, for a program that is about to end; safe in a signal handler."""
        # A terminal that is stopped by Ctrl-S takes nothing, and must not hold up the end.
        if select.select([], [self._terminal], [], 0)[1]:
            self._write(_ERASE_BELOW + "\n")

    def suspend(self) -> None:
        """Take the table away until `resume`, for a program that is about to be stopped.

        Safe in a signal handler.
        """
        with self._writing:
            self._is_suspended = True
            self._write(self._erasure())
            self._table = ()

    def resume(self) -> None:
        """Draw the table again, from the next frame on. Safe in a signal handler."""
        self._is_suspended = False

    def _relay(self) -> None:
        live = self._live
        readers = [self._guest_end] if live is None else [self._guest_end, live.reader]
        while True:
            ready, _, _ = select.select(readers, [], [], live.patience_s() if live else None)
            if self._guest_end in ready:
                try:
                    data = os.read(self._guest_end, _READ_BYTES)
                except OSError:  # every descriptor of the guest's end is closed
                    data = b""
                if not data:
                    break
                self._pass_on(data)
            if live is not None and not self._stopping:
                try:
                    if live.update():
                        self._refresh(live)
                except Exception as fault:  # the guest is not to suffer for it
                    live, readers = None, [self._guest_end]
                    self._show([inert_line(f"no table: {type(fault).__name__}: {fault}")])
        self._write(self._erasure() + self._output.feed(b"", final=True))

    def _pass_on(self, data: bytes) -> None:
        text = self._output.feed(data)
        if text:
            with self._writing:
                erasure, table = self._erasure(), self._drawing(self._table)
                text = self._covering() + text
                self._is_at_line_start = text.endswith("\n")
                self._write(frame(erasure + text + table) if table else text)

    def _refresh(self, live: Live[Any, Any]) -> None:
        columns, rows = self._follow_size()
        live.resize(max(columns - _FREE_COLUMNS, 1), max(rows - _FREE_LINES, 0))
        # The terminal is whose job is in front, and its own if the guest reads from it.
        is_free = is_in_front(self._terminal) and not _reads_terminal()
        self._show(live.lines() if is_free else [])

    def _show(self, table: Sequence[str]) -> None:
        with self._writing:
            if self._is_suspended:
                return
            erasure, self._table = self._erasure(), table
            self._write(frame(erasure + self._drawing(table)) if table else erasure)

    def _follow_size(self) -> tuple[int, int]:
        """Give the pseudo-terminal the size of the terminal; its columns and rows."""
        columns, rows = terminal_size(self._terminal)
        termios.tcsetwinsize(self._guest_end, (rows, columns))
        return columns, rows

    def _covering(self) -> str:
        """What takes an echo away at the beginning of a line: a row behind it would not fit."""
        return _OVER_ECHO if self._covers_echo and self._is_at_line_start else ""

    def _erasure(self) -> str:
        if not self._table:
            return ""
        # An Enter that the terminal echoed has moved the cursor onto the table, so the rest of the
        # cursor's line is erased too. Not behind text: where the text fills its row, the cursor is
        # still on the last character, which would be erased.
        return (_ERASE_REST_OF_LINE if self._is_at_line_start else "") + _ERASE_BELOW

    def _drawing(self, lines: Sequence[str]) -> str:
        if not lines:
            return ""
        # First make room: at the bottom, moving down scrolls, and keeps the cursor's column. What
        # is made, and the table, are not to have the guest's colours, which go on behind it.
        room = "\x1bD" * len(lines) + f"\x1b[{len(lines)}A"
        table = "".join(f"\x1b[E{line}\x1b[K" for line in lines)
        colours = self._output.colours
        reset = NO_COLOURS if colours else ""
        return f"{reset}{room}\x1b7{table}\x1b8{colours}"

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        try:
            while data:
                data = data[os.write(self._terminal, data) :]
        except OSError:  # the terminal is gone; the guest is not to suffer for it
            return


class _RawStream:
    """Bytes of a guest's output as they are."""

    colours = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The text of `data`."""
        return data.decode("utf-8", "surrogateescape")


def _stream(controls: Controls) -> "ScreenStream | InertStream | _RawStream":
    match controls:
        case "all":
            return _RawStream()
        case "none":
            return InertStream()
    # A terminal that cannot draw shows colours as letters.
    return ScreenStream() if can_draw() else InertStream()


def _reads_terminal() -> bool:
    """Whether stdin is a terminal and a thread of this process waits for input from it."""
    if not os.isatty(0):
        return False
    for task in Path("/proc/self/task").iterdir():
        try:
            call = (task / "syscall").read_bytes()
        except OSError:  # the thread has ended, or the system does not show it
            continue
        if call.startswith((b"0 0x0 ", b"63 0x0 ")):  # read(0, …) on x86-64 and on arm64
            return True
    return False
