"""What the jobs of a batch write to outputs that no file takes: it is kept, and the host told.

In a cell each line has a pipe for each such output. It is emptied by the cell's first thread as it
fills, so that no guest waits, and read to its end when the lease has ended. Those of the first line
are the outputs of the cell's process, which cost a guest nothing to have; others are opened.
"""

import os
import threading
from binascii import a2b_base64, b2a_base64
from typing import Any, NamedTuple

from atectl.accounting import MAX_TOTAL
from atectl.batch.cells.wire import Malformed, items, text, whole
from atectl.engine.wasi import OpenStream

TAIL_BYTES = 4096
"""How much of the end of its stderr is told of a job that fails, where nothing else is kept."""

MAX_CAPTURE_BYTES = 4 << 20
"""The most that can be kept of each output: both are told in one message."""

_MOST_TOLD_BYTES = 4 << 20
"""The size of the largest message on a line, beside what is kept of outputs."""

FILES_OF_LINE = 7
"""How many descriptors a line takes: its own, two pipes, and what the engine opens of these."""

_DESCRIPTORS = {"stdout": 1, "stderr": 2}
_NAMES = tuple(_DESCRIPTORS)
_PIECE_BYTES = 65_536


def most_told_bytes(capture_bytes: int | None) -> int:
    """The size of the largest message of a cell on a line.

    Args:
        capture_bytes: as of `LineOutputs`.
    """
    kept_bytes = TAIL_BYTES if capture_bytes is None else capture_bytes
    return _MOST_TOLD_BYTES + 2 * len(_NAMES) * kept_bytes  # which grows by a third on its way


class Captured(NamedTuple):
    """The end of what was written to an output."""

    data: bytes
    written_bytes: int
    """How much was written in all."""


class Output(NamedTuple):
    """What a job wrote that went to no file; None where nothing was, or nothing is told."""

    stdout: Captured | None = None
    stderr: Captured | None = None


NO_OUTPUT = Output()


class OutputPipe:
    """Takes one output of the leases on a line, one after another, and keeps the end of each.

    Args:
        most_bytes: how much it keeps.
    """

    def __init__(self, most_bytes: int) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self._written_bytes = 0
        self._taking = threading.Lock()

    def take_piece(self) -> bool:
        """Take a piece of what is there; all of it may never be taken while a guest writes. Any
        thread may call it.

        Returns:
            Whether there was something.
        """
        with self._taking:
            try:
                data = os.read(self.reader, _PIECE_BYTES)
            except BlockingIOError:
                return False
            self._written_bytes += len(data)
            self._kept += data[-self._most_bytes :]
            # Twice as much, so that not each piece moves what is kept.
            if len(self._kept) > 2 * self._most_bytes:
                del self._kept[: -self._most_bytes]
            return True

    def take(self) -> Captured | None:
        """What the lease that has ended wrote; None if that is nothing."""
        while self.take_piece():
            pass
        if not self._written_bytes:
            return None
        taken = Captured(bytes(self._kept[-self._most_bytes :]), self._written_bytes)
        self._kept.clear()
        self._written_bytes = 0
        return taken

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class LineOutputs:
    """The outputs of the leases on one line that go to no file. To be closed.

    Args:
        capture_bytes: how much to keep of each output; None keeps the end of stderr alone, which
            is told of a lease that fails.
        is_first: whether the outputs of this process become its own.
    """

    def __init__(self, capture_bytes: int | None, *, is_first: bool) -> None:
        self._is_captured = capture_bytes is not None
        most_bytes = TAIL_BYTES if capture_bytes is None else capture_bytes
        names = _NAMES if self._is_captured else ("stderr",)
        self._pipes = {name: OutputPipe(most_bytes) for name in names}
        self._inherited = names if is_first else ()
        self._opened = tuple(
            OpenStream(name, name, pipe.writer)
            for name, pipe in self._pipes.items()
            if name not in self._inherited
        )
        for name in self._inherited:
            os.dup2(self._pipes[name].writer, _DESCRIPTORS[name])

    @property
    def pipes(self) -> tuple[OutputPipe, ...]:
        return tuple(self._pipes.values())

    def beside(
        self, files: tuple[OpenStream, ...]
    ) -> tuple[tuple[OpenStream, ...], tuple[str, ...]]:
        """The streams of a lease that has these files: those to open, and those to inherit."""
        if not files:
            return self._opened, self._inherited
        named = {each.stream for each in files}
        opened = (each for each in self._opened if each.stream not in named)
        return (*files, *opened), tuple(name for name in self._inherited if name not in named)

    def told(self, *, has_failed: bool) -> dict[str, Any]:
        """What to add to the message that the lease has ended."""
        told = {}
        for name, pipe in self._pipes.items():
            taken = pipe.take()
            if taken is not None and (has_failed or self._is_captured):
                told[name] = _told_captured(taken)
        return {"output": told} if told else {}

    def close(self) -> None:
        for pipe in self._pipes.values():
            pipe.close()


def _told_captured(captured: Captured) -> list[Any]:
    return [captured.written_bytes, b2a_base64(captured.data, newline=False).decode()]


def told_output(output: Output) -> dict[str, Any] | None:
    """An output for a message; see `read_output`."""
    named = zip(_NAMES, output, strict=True)
    return {name: _told_captured(each) for name, each in named if each is not None} or None


def kept_of(output: Output, capture_bytes: int | None, *, has_failed: bool) -> Output:
    """What is told of an output of which more was kept than was asked for.

    Args:
        capture_bytes: as of `LineOutputs`.
    """
    if capture_bytes is not None:
        return Output(*(_end_of(each, capture_bytes) for each in output))
    return Output(None, _end_of(output.stderr, TAIL_BYTES) if has_failed else None)


def _end_of(captured: Captured | None, most_bytes: int) -> Captured | None:
    return None if captured is None else captured._replace(data=captured.data[-most_bytes:])


def read_output(told: object, capture_bytes: int | None) -> Output:
    """The output in a message.

    Raises:
        Malformed: it is none, or is more than is kept.
    """
    if told is None:
        return NO_OUTPUT
    if not isinstance(told, dict):
        raise Malformed("a message has no output where one belongs")
    most_bytes = TAIL_BYTES if capture_bytes is None else capture_bytes
    return Output(*(_read_captured(told.get(name), most_bytes) for name in _NAMES))


def _read_captured(told: object, most_bytes: int) -> Captured | None:
    if told is None:
        return None
    written_bytes, encoded = items(told, 2)
    try:
        data = a2b_base64(text(encoded), strict_mode=True)
    except ValueError:
        raise Malformed("a message has an output that is no base64") from None
    if len(data) > most_bytes:
        raise Malformed("a message has more of an output than is kept")
    return Captured(data, whole(written_bytes, MAX_TOTAL))
