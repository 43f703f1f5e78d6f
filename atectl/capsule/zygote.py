"""The zygote: a process with the engine imported and one thread, which forks to compile.

It is forked while its parent has only one thread, or else started as a new process. It forks a
child for each compilation, which costs some 2 ms, reports how each ended, and ends with its parent.
"""

import gc
import os
import resource
import select
import signal
import sys
import time
from _socket import SCM_RIGHTS, SOL_SOCKET, socket
from array import array
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Never

from atectl.capsule.forking import Child, fork, fork_server
from atectl.capsule.records import decode, encode
from atectl.capsule.shared_child import PACKET_BYTES
from atectl.capsule.task import (
    ALL,
    COMPILE,
    CONTROL,
    DESCRIPTORS,
    ENDED_LINE,
    PID_LINE,
    SERVER,
    SERVER_DESCRIPTORS,
    SERVER_TOLD,
    Task,
    compile_threads,
)
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine

_ANCILLARY_BYTES = 256
_MOST_DESCRIPTORS = 4096

IDLE_S = 0.05
"""How long a process that may do several tasks waits for the next one."""

_VERDICTS = {"code", "unkept", "written"}
"""One of these is in the answer to a task that came to something."""


def main() -> Never:
    """Be a zygote in a new process. Its arguments say how its engine is made."""
    from atectl.accounting import StoreBounds
    from atectl.engine.metered import Engine
    from atectl.engine.settings import EngineSettings

    leave_signals_to_parent()
    fuel, stack_bytes, *bounds = map(int, sys.argv[1:])
    serve(Engine(EngineSettings(bool(fuel), stack_bytes, StoreBounds(*bounds))))


def serve(engine: "LinkingEngine") -> Never:
    """Do the tasks that are sent, until the parent is gone."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard > _MOST_DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_DESCRIPTORS, hard))
    import atectl.capsule.refusal  # noqa: F401 - each child imports it before it compiles

    engine.module_linker()  # the first call takes a millisecond, which no child repeats then
    gc.disable()
    gc.freeze()
    _Zygote(engine).serve()


class _Job(NamedTuple):
    """A task that is being done, and who waits for it."""

    task: Task
    replies: int
    """The descriptor of the pipe to reply on."""
    files: tuple[int, ...] = ()
    """Its files, kept for another attempt if its process has done other tasks before."""
    spent_s: float = 0.0
    """The CPU time of an attempt that failed."""


class _Server(NamedTuple):
    """A process that serves a socket, and the descriptor of the pipe on which its end is told."""

    pid: int
    replies: int


class _Zygote:
    def __init__(self, engine: "LinkingEngine") -> None:
        self._engine = engine
        self._control = socket(fileno=CONTROL)
        self._poll = select.poll()
        self._children: dict[int, Child] = {}
        """Each child, by the descriptor of the pipe that it answers on."""
        self._jobs: dict[int, _Job] = {}
        """What each of them does, if it is not idle."""
        self._works = {COMPILE.module}
        """The modules of work that are imported here, and so in each new child."""
        self._knows: dict[int, frozenset[str]] = {}
        """The modules that each child has: a child can import nothing once it has begun."""
        self._idle: dict[int, float] = {}
        """The idle ones, by the same descriptor, with the time since when."""
        self._servers: dict[int, _Server] = {}
        """Each server, by a descriptor of its process."""
        self._prepared: set[str] = set()
        """The modules of servers that are imported here, and have prepared for them."""

    def serve(self) -> Never:
        self._poll.register(CONTROL, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll(IDLE_S * 1000 if self._idle else None):
                if descriptor == CONTROL:
                    self._be_told()
                elif descriptor in self._servers:
                    self._bury(descriptor)
                else:
                    self._hear(descriptor)
            self._let_go_of_idle()

    def _be_told(self) -> None:
        """Receive a message: begin a compilation, cut one short, or end."""
        try:
            packet, ancillary, _, _ = self._control.recvmsg(PACKET_BYTES, _ANCILLARY_BYTES)
        except OSError:
            packet, ancillary = b"", []
        record = decode(packet)
        if record is None:
            self._end()
        descriptors = array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                whole = len(content) // descriptors.itemsize * descriptors.itemsize
                descriptors.frombytes(content[:whole])
        if "cut" in record:
            self._cut(int(record["cut"]))
        elif len(descriptors) == DESCRIPTORS:
            *files, replies = descriptors
            self._take(_Job(Task.read(record), replies, tuple(files)))
        elif SERVER in record and len(descriptors) == SERVER_DESCRIPTORS:
            self._fork_server(record, *descriptors)
        else:
            _close(descriptors)

    def _take(self, job: _Job) -> None:
        """Begin with a task, in a process that is idle or in a new one."""
        try:
            if job.task.work.module:
                import_module(job.task.work.module)  # here, so that no child of this one has to
                self._works.add(job.task.work.module)
            child = self._idle_child(job) or self._fork(job)
        except OSError as error:
            _reply(job, encode({"fault": "system", "errno": str(error.errno)}))
            return
        if child.feed is None:
            _close(job.files)
            job = job._replace(files=())
        self._jobs[child.pipe] = job
        with suppress(OSError):
            os.write(job.replies, PID_LINE % child.pid)

    def _fork_server(self, record: dict[str, str], control: int, replies: int) -> None:
        """Begin a server. Where there is no room for one, its pipe is closed with nothing told."""
        server = record[SERVER]
        if server not in self._prepared:  # here, so that no server has to
            import_module(server).prepare()
            self._prepared.add(server)
        try:
            pid = fork_server(self._engine, server, record[SERVER_TOLD], control)
        except OSError:
            os.close(replies)
            return
        finally:
            os.close(control)
        with suppress(OSError):
            os.write(replies, PID_LINE % pid)
        process = os.pidfd_open(pid)
        self._servers[process] = _Server(pid, replies)
        self._poll.register(process, select.POLLIN)

    def _bury(self, process: int) -> None:
        """A server has ended: tell how."""
        server = self._servers.pop(process)
        self._poll.unregister(process)
        _, status = os.waitpid(server.pid, 0)
        with suppress(OSError):
            os.write(server.replies, ENDED_LINE % os.waitstatus_to_exitcode(status))
        _close((process, server.replies))

    def _fork(self, job: _Job) -> Child:
        if job.task.sharing:
            import atectl.capsule.interface  # noqa: F401 - no child can, once it has begun

        child = fork(self._engine, job.task, *job.files)
        self._children[child.pipe] = child
        self._knows[child.pipe] = frozenset(self._works)
        self._poll.register(child.pipe, select.POLLIN)
        return child

    def _idle_child(self, job: _Job) -> Child | None:
        """An idle process of the same principal, which is sent the task; None if there is none."""
        for descriptor in tuple(self._idle):
            child = self._children[descriptor]
            can_do = job.task.work.module in self._knows[descriptor]
            if can_do and child.task.sharing == job.task.sharing:
                del self._idle[descriptor]
                try:
                    child.send(job.task, job.files)
                except OSError:
                    child.cut()
                else:
                    return child
        return None

    def _hear(self, descriptor: int) -> None:
        """Read a child's output, and reply once its task is done."""
        child = self._children[descriptor]
        reply = child.hear()
        if reply is None:
            return
        job = self._jobs.pop(descriptor, None)
        if child.is_over:
            self._poll.unregister(descriptor)
            del self._children[descriptor], self._knows[descriptor]
            self._idle.pop(descriptor, None)
        else:
            self._idle[descriptor] = time.monotonic()
        if job is None:
            return
        if _may_be_due_to_others(child, decode(reply) or {}):
            self._try_alone(job, decode(reply) or {})
        else:
            _reply(job, reply)

    def _try_alone(self, job: _Job, failed: dict[str, str]) -> None:
        """Do a task once more, in a process of its own."""
        for file in job.files[1:]:
            with suppress(OSError):
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
        task = job.task._replace(sharing="")
        self._take(job._replace(task=task, spent_s=float(failed.get("cpu", 0))))

    def _let_go_of_idle(self) -> None:
        """Have those end that are idle for long, and the oldest beyond so many as are of use."""
        now = time.monotonic()
        spare = len(self._idle) - compile_threads()
        for number, (descriptor, since) in enumerate(tuple(self._idle.items())):
            if number < spare or now - since > IDLE_S:
                del self._idle[descriptor]
                self._children[descriptor].cut()

    def _cut(self, number: int) -> None:
        for descriptor, job in self._jobs.items():
            if number in (ALL, job.task.number):
                self._children[descriptor].cut()

    def _end(self) -> Never:
        for server in self._servers.values():
            os.kill(server.pid, signal.SIGKILL)
            os.waitpid(server.pid, 0)
        for child in self._children.values():
            child.cut()
            os.waitpid(child.pid, 0)
        os._exit(0)


def _may_be_due_to_others(child: Child, reply: dict[str, str]) -> bool:
    """Whether a task failed, and what its process did before may be the cause."""
    if not child.done or not child.is_over or child.is_cut:
        return False
    has_verdict = not _VERDICTS.isdisjoint(reply) or int(reply["status"]) == -signal.SIGXCPU
    return not has_verdict


def _reply(job: _Job, content: bytes) -> None:
    if job.spent_s:
        record = decode(content) or {}
        cpu_s = float(record.get("cpu", 0)) + job.spent_s
        content = encode({**record, "cpu": repr(cpu_s)})
    with suppress(OSError):  # nobody waits for it any more
        os.write(job.replies, content)
    _close((job.replies, *job.files))


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
