"""Forking a process that compiles, and reporting how it ended.

Only a process with one thread may do so: a fork of one with more cannot safely go on in Python.
"""

import fcntl
import os
import signal
import sys
import threading
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socketpair
from array import array
from importlib import import_module
from typing import TYPE_CHECKING, Never

from atectl.capsule.compile_child import MARK, compile_and_exit
from atectl.capsule.records import decode, encode, escape
from atectl.capsule.shared_child import READY, serve_and_exit
from atectl.capsule.task import CONTROL, Task, compile_threads
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from _socket import socket

    from atectl.capsule.interface import LinkingEngine

MOST_SAID_BYTES = 65_536
"""How much of the output of such a process is kept."""

_MOST_TOLD_BYTES = 1000
_ABOVE = 16


class Child:
    """A process that does a task: the task, the pipe it answers on, and its output so far.

    `feed` is where a process is sent further tasks that may do several; None for any other.
    """

    __slots__ = (
        "_is_over", "_lock", "_tail", "done", "feed", "is_cut", "parent", "pid", "pipe", "said",
        "spent_s", "task",
    )  # fmt: skip

    def __init__(self, task: Task, pid: int, pipe: int, feed: "socket | None" = None) -> None:
        self.task = task
        self.parent = os.getpid()
        self.pid = pid
        self.pipe = pipe
        self.feed = feed
        self.said = bytearray()
        self.done = 0
        """How many tasks it has done."""
        self.spent_s = 0.0
        """The CPU time that these took."""
        self.is_cut = False
        """Whether somebody has ended it."""
        self._tail = b""
        self._is_over = False
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and was waited for."""
        return self._is_over

    def hear(self) -> bytes | None:
        """Read its output, once there is some. Returns the reply once that is whole, else None.

        It is whole when the process ends, or says that it is ready for another task.
        """
        said = os.read(self.pipe, MOST_SAID_BYTES)
        if not said:
            return self._ended()
        self.said += said[: MOST_SAID_BYTES - len(self.said)]
        self._tail = (self._tail + said)[-len(READY) :]
        if self._tail != READY:
            return None
        answer = self._answer()
        self.spent_s += float(answer["cpu"])
        self.done += 1
        return encode({**answer, "status": "0", "messages": ""})

    def _ended(self) -> bytes:
        os.close(self.pipe)
        if self.feed is not None:
            self.feed.close()
        # It closes its pipe when it ends. If it closed the pipe earlier, it is killed now.
        with self._lock:
            if not self._is_over:
                os.kill(self.pid, signal.SIGKILL)
            self._is_over = True
        _, status, usage = os.wait4(self.pid, 0)
        messages = b"".join(bytes(self.said).split(MARK)[::2])
        cpu_s = max(usage.ru_utime + usage.ru_stime - self.spent_s, 0.0)
        return encode(
            {
                **self._answer(),
                "status": str(os.waitstatus_to_exitcode(status)),
                "cpu": repr(cpu_s),
                "peak": str(usage.ru_maxrss * 1024),
                "messages": escape(messages[:_MOST_TOLD_BYTES].decode(errors="replace")),
            }
        )

    def _answer(self) -> dict[str, str]:
        """What it has answered to its present task."""
        records = [decode(part) or {} for part in bytes(self.said).split(MARK)[1::2]]
        return {name: value for record in records for name, value in record.items()}

    def send(self, task: Task, descriptors: tuple[int, ...]) -> None:
        """Have it do another task, with files for it in the order of `shared_child.FILES`.

        Raises:
            OSError: it has ended.
        """
        assert self.feed is not None  # noqa: S101 - it may do several
        self.task = task
        self.said.clear()
        self._tail = b""
        files = (SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))
        self.feed.sendmsg([encode(task.record())], [files])

    def cut(self) -> None:
        """Kill it, if it is still running. Any thread may call it."""
        self.is_cut = True
        with self._lock:
            if not self._is_over:  # once it was waited for, another may have its process ID
                os.kill(self.pid, signal.SIGKILL)


def fork(engine: "LinkingEngine", task: Task, capsule: int, memory: int, cache: int) -> Child:
    """Fork a process that does a task with these descriptors, which stay open here.

    Raises:
        OSError: there is no room for another process or descriptor.
    """
    pipe, answers = os.pipe()
    feed = its = None
    try:
        if task.sharing:
            feed, its = socketpair(AF_UNIX, SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            own = (capsule, answers, answers, memory, cache)
            _become(own if its is None else (*own, its.fileno()), engine, task, parent)
    except BaseException:
        os.close(pipe)
        if feed is not None:
            feed.close()
        raise
    finally:
        os.close(answers)
        if its is not None:
            its.close()
    return Child(task, pid, pipe, feed)


def fork_server(engine: "LinkingEngine", module: str, told: str, control: int) -> int:
    """Fork a process that serves a socket, which is its descriptor `CONTROL`. Returns its ID.

    Args:
        module: its `serve` is called with the engine and `told`.

    Raises:
        OSError: there is no room for another process.
    """
    pid = os.fork()
    if pid == 0:
        _serve(engine, module, told, control)
    return pid


def _serve(engine: "LinkingEngine", module: str, told: str, control: int) -> Never:
    """Keep only the socket, and serve it until the function that does so returns.

    The process that forks servers has left signals to its own parent already.
    """
    try:
        os.dup2(control, CONTROL)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        import_module(module).serve(engine, told)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _become(
    descriptors: tuple[int, ...], engine: "LinkingEngine", task: Task, parent: int
) -> Never:
    """Keep only these descriptors, numbered from 0 on, and do the task."""
    try:
        leave_signals_to_parent()
        above = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for each in descriptors]
        for target, descriptor in enumerate(above):
            os.dup2(descriptor, target)
        os.closerange(len(descriptors), os.sysconf("SC_OPEN_MAX"))
        # A panic of the compiler is one line then, and it has a known number of threads.
        os.environ |= {"RUST_BACKTRACE": "0", "RAYON_NUM_THREADS": str(compile_threads())}
        do = serve_and_exit if task.sharing else compile_and_exit
        do(engine, task, parent)
    finally:
        os._exit(1)
