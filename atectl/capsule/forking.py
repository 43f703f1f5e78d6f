"""Forking a process that compiles, and reporting how it ended.

Only a process with one thread may do so: a fork of one with more cannot safely go on in Python.
"""

import fcntl
import os
import signal
import threading
from typing import TYPE_CHECKING, Never

from atectl.capsule.compile_child import MARK, compile_and_exit
from atectl.capsule.records import decode, encode, escape
from atectl.capsule.task import Task, compile_threads
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine

MOST_SAID_BYTES = 65_536
"""How much of the output of such a process is kept."""

_MOST_TOLD_BYTES = 1000
_ABOVE = 16


class Child:
    """A process that compiles: its task, the pipe it answers on, and its output so far."""

    __slots__ = ("_is_over", "_lock", "pid", "pipe", "said", "task")

    def __init__(self, task: Task, pid: int, pipe: int) -> None:
        self.task = task
        self.pid = pid
        self.pipe = pipe
        self.said = bytearray()
        self._is_over = False
        self._lock = threading.Lock()

    def hear(self) -> bytes | None:
        """Read its output, once there is some. Returns the reply at its end, and None before."""
        said = os.read(self.pipe, MOST_SAID_BYTES)
        if said:
            self.said += said[: MOST_SAID_BYTES - len(self.said)]
            return None
        os.close(self.pipe)
        # It closes its pipe when it ends. If it closed the pipe earlier, it is killed now.
        self.cut()
        with self._lock:
            self._is_over = True
        _, status, usage = os.wait4(self.pid, 0)
        parts = bytes(self.said).split(MARK)
        answers = [decode(part) or {} for part in parts[1::2]]
        said = b"".join(parts[::2])
        return encode(
            {name: value for answer in answers for name, value in answer.items()}
            | {
                "status": str(os.waitstatus_to_exitcode(status)),
                "cpu": repr(usage.ru_utime + usage.ru_stime),
                "peak": str(usage.ru_maxrss * 1024),
                "messages": escape(said[:_MOST_TOLD_BYTES].decode(errors="replace")),
            }
        )

    def cut(self) -> None:
        """Kill it, if it is still running. Any thread may call it."""
        with self._lock:
            if not self._is_over:  # once it was waited for, another may have its process ID
                os.kill(self.pid, signal.SIGKILL)


def fork(engine: "LinkingEngine", task: Task, capsule: int, memory: int, cache: int) -> Child:
    """Fork a process that does a task with these descriptors, which stay open here.

    Raises:
        OSError: there is no room for another process or descriptor.
    """
    pipe, answers = os.pipe()
    try:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become((capsule, answers, answers, memory, cache), engine, task, parent)
    except BaseException:
        os.close(pipe)
        raise
    finally:
        os.close(answers)
    return Child(task, pid, pipe)


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
        compile_and_exit(engine, task, parent)
    finally:
        os._exit(1)
