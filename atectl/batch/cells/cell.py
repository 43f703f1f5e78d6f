"""A cell as its host knows it: its process, its control stream, its lines, and what it holds."""

import os
import resource
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from atectl.batch.cells.channel import LongMessages
from atectl.batch.cells.errors import CellLost, CellMisbehaved, CellOutOfMemory
from atectl.batch.cells.outputs import FILES_OF_LINE
from atectl.batch.cells.settings import FILES_OF_CELL, FILES_OF_CODE, MAX_CODES, THREADS_OF_LINE
from atectl.batch.cells.wire import Gone, Malformed, Message, Wire, whole
from atectl.capsule.errors import HostExhausted
from atectl.errors import AtectlError
from atectl.system.held import Held, held_by
from atectl.system.walls.amounts import DEFAULT_MAX_FDS, KERNEL_SLACK_BYTES, LARGEST_LIMIT

if TYPE_CHECKING:
    from atectl.batch.cells.host_line import HostLine
    from atectl.capsule.compiler import Server

_ANSWER_S = 0.5
"""How long a cell may take to answer; its host goes on without the answer then."""

_MOST_ANSWER_BYTES = 1 << 20
"""The size of the largest answer: what thousands of leases use."""

_UNASKED_S = 5.0
"""How long a cell is asked nothing that did not answer: it may be stopped, and others wait."""

_ENDING_S = 2.0
"""How long to wait for the end of a process that was killed."""

_INHERITED_BYTES = 3 << 20
"""What a cell comes to hold of its own of the pages that it shares with the process that forked
it: it changes some of them as it starts."""

CELL_BYTES = 4 << 20
"""What a cell comes to hold of its own, with a small guest in it: 3.5 to 4.2 MiB."""

_OTHER_THREADS = 512 + 64 + (os.cpu_count() or 1)
"""The most threads of a cell beside those of its lines: the engine has up to 512 for calls that
wait, one for each core, and a few more."""

_MUCH_BYTES = 96 << 20
"""A cell that held so much more than its leases were charged, and broke down, ran out of memory."""

_PID, _ENDED = b"pid ", b"ended "


class Cell:
    """One cell. The methods may be called from any thread, but for those of a line.

    Args:
        server: its process, as it was just forked.
        key: whose leases it runs; None until that is known.
        inherited: what the process that forked it holds, which this shares.
        line_bytes: the stacks of the threads of one line.
        guest_files: how many descriptors its guests may have open, all together.

    Raises:
        HostExhausted: the process could not be made (exit 125).
    """

    def __init__(
        self,
        server: "Server",
        key: str | None,
        inherited: Held,
        line_bytes: int = 0,
        guest_files: int = DEFAULT_MAX_FDS,
    ) -> None:
        self.key = key
        self.running: dict[int, int] = {}
        """The jobs that run in it, each with the quota of its memory."""
        self.given_up: set[int] = set()
        """The jobs among these that were given up: their guests sleep, perhaps for ever."""
        self.idle_bytes = 0
        """What its idle stores hold."""
        self.is_doomed = False
        """Whether no lease more is to begin in it."""
        self.has_data_limit = True
        """Whether the kernel holds its data to a limit."""
        self.misbehaved = False
        """Whether it sent what no cell sends."""
        self.held_more_bytes = 0
        """How much more than its leases are charged it was last seen to hold."""
        self.lines: list[HostLine] = []
        """Its lines on which no lease runs."""
        self.every_line: list[HostLine] = []
        """All of its lines."""
        self.long_messages = LongMessages()
        """Which of its lines is in the middle of one."""
        self._pipe = server.pipe
        control = socket.socket(fileno=server.control.detach())
        self._control = Wire(control, most_received_bytes=_MOST_ANSWER_BYTES)
        self._control.wait_at_most(_ANSWER_S)
        self._most_data_bytes = self._most_files = 0
        self._handed: dict[str, None] = {}  # the hashes of capsules, the oldest first
        self._asked = 0
        self._unanswered: set[int] = set()
        self._asked_readings = 0  # the question that has no answer yet; 0 if there is none
        self._told_readings: object = None
        self._ask_from_s = 0.0
        self._lock = threading.Lock()
        self._idle_lock = threading.Lock()
        self._inherited = inherited
        self._line_bytes = line_bytes
        self._guest_files = guest_files
        self._said = b""
        try:
            self.pid = self._read_pid()
        except BaseException:
            self._control.close()
            os.close(self._pipe)
            raise
        try:
            self._process = os.pidfd_open(self.pid)
        except OSError:
            self._process = -1

    def _read_pid(self) -> int:
        while b"\n" not in self._said:
            said = os.read(self._pipe, 100)
            if not said:
                raise HostExhausted("no process could be made for a cell")
            self._said += said
        first, _, self._said = self._said.partition(b"\n")
        return int(first.removeprefix(_PID))

    # Lines

    def new_line(self) -> socket.socket:
        """The host's end of a line for one lease at a time.

        Raises:
            Gone: the cell has ended, or does not listen.
        """
        ours, its = socket.socketpair()
        try:
            self._order({"do": "line"}, (its.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        return ours

    # Orders

    def change_idle(self, added_bytes: int, dropped: object = 0) -> int:
        """Count what idle stores hold more, and what its cell says was dropped of them.

        A store may be dropped before the host hears that it was kept, so that for a moment less
        than nothing is idle.

        Returns:
            The bytes that were dropped.

        Raises:
            Malformed: it cannot have held so much.
        """
        with self._idle_lock:
            most_bytes = self.idle_bytes + added_bytes + sum(list(self.running.values()))
            dropped_bytes = whole(dropped, max(most_bytes, 0))
            self.idle_bytes += added_bytes - dropped_bytes
            return dropped_bytes

    def begin_in_idle(self, told: object) -> int:
        """A lease begins in an idle store, which holds so much. Returns that.

        Raises:
            Malformed: no idle store holds so much.
        """
        with self._idle_lock:
            taken_bytes = whole(told, max(self.idle_bytes, 0))
            self.idle_bytes -= taken_bytes
            return taken_bytes

    def has_code(self, sha256: str) -> bool:
        """Whether it was handed the code of a capsule of this hash; it may have let go of it."""
        return sha256 in self._handed

    def hand_code(self, sha256: str) -> None:
        """It is about to be handed the code of a capsule, which it keeps open."""
        self._handed[sha256] = None
        if len(self._handed) > MAX_CODES + 1:
            del self._handed[next(iter(self._handed))]
        self._hold_files()

    def _hold_files(self) -> None:
        """Set the kernel's limit on its descriptors: what it needs for itself, for its lines and
        one that is about to be made, and for code; beside that its guests have theirs."""
        lines, codes = len(self.every_line) + 1, len(self._handed)
        own_files = FILES_OF_CELL + FILES_OF_LINE * lines + FILES_OF_CODE * codes
        most_files = own_files + self._guest_files
        if most_files == self._most_files:
            return
        self._most_files = most_files
        with suppress(OSError, ValueError):  # it has ended, or has as many as it may
            _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (min(most_files, hard), hard))

    def hold_to_quotas(self) -> None:
        """Set the kernel's limits on its descriptors, and on its data for the leases that run in it
        now.

        The stacks of its lines count there in full, and those of one that is about to be made.
        """
        self._hold_files()
        stacks_bytes = (len(self.every_line) + 1) * self._line_bytes
        beside_bytes = self._inherited.data_bytes + stacks_bytes + KERNEL_SLACK_BYTES
        most_bytes = min(beside_bytes + sum(self.running.values()), LARGEST_LIMIT)
        if most_bytes == self._most_data_bytes:  # as it mostly is: one job follows another
            return
        self._most_data_bytes = most_bytes
        try:
            _, hard = resource.prlimit(self.pid, resource.RLIMIT_DATA)
            resource.prlimit(self.pid, resource.RLIMIT_DATA, (most_bytes, hard))
        except (OSError, ValueError):  # it has ended, or may not have as much
            self.has_data_limit = False

    def tick(self) -> None:
        """Have its guests reach a checkpoint."""
        with suppress(Gone):
            self._order({"do": "tick"})

    def trim(self) -> None:
        """Have it give freed memory back that its allocator keeps."""
        self.ask({"do": "trim"})

    def end(self, job: int) -> None:
        """Have a guest end."""
        with suppress(Gone):
            self._order({"do": "end", "job": job})

    def ask(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Have it do what has an answer; None if there is none in time."""
        with self._lock:
            if time.monotonic() < self._ask_from_s:
                return None
            until_s = time.monotonic() + _ANSWER_S
            try:
                asked = self._send_question(order)
                while True:
                    answer = self._answer(self._control.receive(until_s))
                    if answer["answer"] == asked:
                        return answer
            except Gone:
                self._ask_from_s = time.monotonic() + _UNASKED_S
                return None
            except Malformed:
                self.condemn()
                return None

    def readings(self) -> object:
        """What it told of its leases since this was last asked, None if nothing, and have it tell
        that again. This does not wait for it."""
        with self._lock:
            try:
                while (told := self._control.receive_now()) is not None:
                    self._answer(told)
                if not self._asked_readings:
                    self._asked_readings = self._send_question({"do": "read"})
            except Gone:
                return None
            except Malformed:
                self.condemn()
                return None
            readings, self._told_readings = self._told_readings, None
            return readings

    def _send_question(self, order: dict[str, Any]) -> int:
        self._asked += 1
        self._control.send_now({**order, "ask": self._asked})
        self._unanswered.add(self._asked)
        return self._asked

    def _answer(self, message: Message) -> dict[str, Any]:
        """What was told, which answers a question: each has one answer, some after it was given up.

        Raises:
            Malformed: it answers none, or has descriptors, of which no cell has any to give.
        """
        answer, descriptors = message
        for each in descriptors:
            os.close(each)
        asked = answer.get("answer")
        if descriptors or not isinstance(asked, int) or asked not in self._unanswered:
            raise Malformed("a cell answered what nobody had asked")
        self._unanswered.remove(asked)
        if asked == self._asked_readings:
            self._asked_readings, self._told_readings = 0, answer.get("leases")
        return answer

    def _order(self, order: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        with self._lock:
            self._control.send_now(order, descriptors)

    # Its process

    def own_bytes(self) -> int:
        """What it holds of its own; 0 once it is gone."""
        held = held_by(self.pid) if not self.has_ended else None
        if held is None:
            return 0
        return max(held.own_bytes - self._inherited.own_bytes, 0) + _INHERITED_BYTES

    def bound_threads(self) -> None:
        """Have it end if it has more threads than any cell: the system has only so many."""
        with suppress(OSError):
            threads = os.stat(f"/proc/{self.pid}/task").st_nlink - 2  # noqa: PTH116 - each look
            if threads > _OTHER_THREADS + THREADS_OF_LINE * len(self.every_line):
                self.condemn()

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self._ends_in(0)

    def _ends_in(self, seconds: float) -> bool:
        """Wait for the end of its process. Returns whether it is gone."""
        if self._process < 0:
            return True
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def condemn(self) -> None:
        """It sent what no cell sends: have it end at once, with all that runs in it."""
        self.misbehaved = True
        self.kill()

    def kill(self) -> None:
        """End its process, and all that runs in it."""
        self.is_doomed = True
        with suppress(OSError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def kill_if_given_up(self) -> None:
        """End its process if nothing runs in it but what was given up."""
        if self.given_up and self.given_up.issuperset(self.running):
            self.kill()

    def close(self) -> None:
        """Have it end, if it has not, and let go of it."""
        self.kill()
        for line in self.every_line:
            line.close()
        self._control.close()
        with suppress(OSError):
            os.close(self._pipe)
        if self._process >= 0:
            process, self._process = self._process, -1
            os.close(process)

    def why_lost(self) -> AtectlError:
        """Why its process has ended, in words."""
        if not self._ends_in(_ENDING_S / 4):  # it has hung up on its guest, and lives
            self.condemn()
        if self.misbehaved:
            return CellMisbehaved("the cell sent what no cell sends, and was ended")
        status = self._status()
        if status is None:
            return CellLost("the cell that ran the guest has ended, and it is not known how")
        if status >= 0:
            return CellLost(f"the cell that ran the guest has ended with status {status}")
        name = signal.Signals(-status).name
        if status == -signal.SIGKILL or self.held_more_bytes > _MUCH_BYTES:
            return CellOutOfMemory(f"the cell that ran the guest was ended by {name}")
        return CellLost(f"the cell that ran the guest broke down: {name}")

    def _status(self) -> int | None:
        """How its process ended, which the process that forked it tells; None if nothing does."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while b"\n" not in self._said:
            said = os.read(self._pipe, 100) if poll.poll(_ENDING_S * 1000) else b""
            if not said:
                return None
            self._said += said
        return int(self._said.partition(b"\n")[0].removeprefix(_ENDED))
