"""Compiling capsules, each in its own process, seen by the process that waits for them.

See `zygote` for the process that forks these, and `compile_child` for what one of them does.
"""

import os
import re
import sys
import threading
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, socketpair
from array import array
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.limits import DEFAULT_LIMITS, CompileLimits, most_untouched
from atectl.capsule.records import encode
from atectl.capsule.source import exhausted
from atectl.capsule.standby import PREPARED, stand_by
from atectl.capsule.task import (
    ALL,
    COMPILE,
    CONTROL,
    SMALL_BYTES,
    Part,
    Task,
    Work,
    compile_threads,
)
from atectl.engine.settings import EngineSettings
from atectl.errors import CompilerGone
from atectl.system.memory import private_bytes

if TYPE_CHECKING:
    from _socket import socket

    from atectl.capsule.compilation import Compilation, Worker
    from atectl.capsule.forking import Child
    from atectl.engine.metered import Engine

_STARTS = "from atectl.capsule.zygote import main; main()"
_REPLY_BYTES = 65_536
_PID_LINES = rb"\A(?:pid (\d+)\n)+"
_SHARED = (b"\0asm\1\0\0\0", b"\x7fELF")
"""What a capsule begins with, or its artifact, that may be handled in a shared process."""


class Compiler:
    """Compiles capsules for one engine, each in a child process. To be closed, or used with `with`.

    While this process has an engine and only one thread, it forks that child itself. Otherwise the
    zygote does so: a process with an engine and one thread that waits for requests.

    Args:
        engine: what they are compiled for: the engine of this process, or how the zygote makes one
            if this process has none.
        limits: what one may cost; if `memory_bytes` is None, it gets its default.
        niceness: how much lower than this process's the priority of compiling is.
    """

    def __init__(
        self,
        engine: "Engine | EngineSettings",
        limits: CompileLimits = DEFAULT_LIMITS,
        *,
        niceness: int = 0,
    ) -> None:
        self.limits = limits.settled()
        self.target = engine if isinstance(engine, EngineSettings) else engine.settings
        self._engine = None if isinstance(engine, EngineSettings) else engine
        self._niceness = niceness
        self._lock = threading.Lock()
        self._control: socket | None = None
        self._zygote = 0
        self._forked: list[Child] = []
        self._is_finished = self._is_closed = self._is_preparing = False
        self._numbers = count(1)

    def __enter__(self) -> "Compiler":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, *modules: str) -> None:
        """Fork the zygote if this process has one thread: starting it later is expensive.

        Args:
            modules: what it imports at once, beside the engine: that of the servers which it is
                going to fork. None if it may never be asked for anything.
        """
        with self._lock:
            if self._control is None and _has_one_thread():
                self._start(modules)
                self._is_preparing = bool(modules)

    def wait_until_prepared(self) -> None:
        """Wait until the zygote has imported what it was to import at once."""
        with self._lock:
            if self._is_preparing and self._control is not None:
                self._control.recv(len(PREPARED))
                self._is_preparing = False

    def begin(
        self,
        name: str,
        capsule: int,
        cache: int | None = None,
        limits: CompileLimits | None = None,
        granted_bytes: int | None = None,
        *,
        part: Part | None = None,
        work: Work = COMPILE,
        sharing: str = "",
    ) -> "Compilation":
        """Begin to compile a capsule.

        Args:
            name: of the capsule's file, for messages.
            capsule: the descriptor of that file, a regular one; its position changes.
            cache: the descriptor of a file for the artifact; None without a cache.
            limits: the limits of this compilation; None for those of the compiler.
            granted_bytes: the memory that it may allocate at first; None for all that its limit
                allows.
            part: where in the file the capsule is; None for the whole file.
            work: what to do instead of compiling it.
            sharing: the principal whose tasks may share a process, if they are small; empty for
                a process of its own.

        Raises:
            HostExhausted: there is no room for another process or file (exit 125).
            CompilerGone: this is closed (exit 125).
        """
        from atectl.capsule.compilation import Compilation

        limits = limits or self.limits
        most_bytes = limits.memory_bytes or 0
        counted_bytes = most_bytes + most_untouched(most_bytes)
        part = part or Part(0, os.fstat(capsule).st_size)
        task = Task(
            number=next(self._numbers),
            name=name,
            max_capsule_bytes=limits.max_capsule_bytes,
            data_bytes=most_bytes if granted_bytes is None else granted_bytes,
            most_data_bytes=max(most_bytes, min(counted_bytes, self.limits.memory_bytes or 0)),
            cpu_s=1 + int(limits.deadline_s * compile_threads()),
            niceness=self._niceness,
            part=part,
            work=work,
            sharing=sharing if _is_small(capsule, part) else "",
        )
        memory = -1
        try:
            memory = os.memfd_create("capsule")
            worker = self._worker(task, capsule, memory, memory if cache is None else cache)
        except BaseException as failure:
            if memory >= 0:
                os.close(memory)
            if isinstance(failure, OSError):
                raise exhausted(name, failure.errno) from None
            raise
        return Compilation(name, limits, task.data_bytes, worker, memory)

    def fork_server(self, module: str, told: str) -> "Server":
        """Have the process that waits fork one that serves a socket.

        Args:
            module: its `serve` is called in that process, with the engine and `told`.

        Raises:
            CompilerGone: this is closed (exit 125).
            OSError: there is no room for another process or descriptor.
        """
        from atectl.capsule.task import SERVER, SERVER_TOLD

        ours, its = socketpair(AF_UNIX, SOCK_STREAM)
        pipe, replies = os.pipe()
        try:
            with self._lock:
                if self._is_closed:
                    raise CompilerGone("the host is ending")
                self._send({SERVER: module, SERVER_TOLD: told}, (its.fileno(), replies))
        except BaseException:
            ours.close()
            os.close(pipe)
            raise
        finally:
            its.close()
            os.close(replies)
        return Server(ours, pipe)

    @property
    def zygote(self) -> int:
        """The ID of the process that waits, and forks; 0 if there is none."""
        return self._zygote

    def private_bytes(self) -> int:
        """What the process that waits holds of its own; 0 if there is none, or it is not known."""
        return (private_bytes(self._zygote) if self._zygote else None) or 0

    def cut(self, number: int) -> None:
        """Cut the compilation of this number short, if it is still running."""
        with self._lock, suppress(OSError):
            if self._control is not None:
                self._control.sendmsg([encode({"cut": str(number)})])

    def finish(self) -> None:
        """Cut all compilations short, and begin no more; servers go on. Any thread may call it."""
        with self._lock:
            self._is_finished = True
            with suppress(OSError):
                if self._control is not None:
                    self._control.sendmsg([encode({"cut": str(ALL)})])
            for child in self._forked:
                child.cut()
            self._forked.clear()

    def close(self) -> None:
        """Cut everything short, servers too. Idempotent; any thread may call it."""
        self.finish()
        with self._lock:
            self._is_closed = True
            self._stop()

    def _worker(self, task: Task, capsule: int, memory: int, cache: int) -> "Worker":
        """Start a process on a task."""
        with self._lock:
            if self._is_finished:
                raise CompilerGone(f"{task.name} is not compiled: the host is ending")
            if self._engine is not None and self._control is None and _has_one_thread():
                from atectl.capsule.forking import fork

                child = fork(self._engine, task._replace(sharing=""), capsule, memory, cache)
                self._forked.append(child)
                return child
            pipe, replies = os.pipe()
            try:
                self._send(task.record(), (capsule, memory, cache, replies))
            except BaseException:
                os.close(pipe)
                raise
            finally:
                os.close(replies)
            return _Remote(self, self._zygote, task.number, pipe)

    def _send(self, record: dict[str, str], descriptors: tuple[int, ...]) -> None:
        content = (SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))
        control = self._control or self._start()
        try:
            control.sendmsg([encode(record)], [content])
        except ConnectionError:  # somebody has killed the zygote
            self._stop()
            self._start().sendmsg([encode(record)], [content])

    def _start(self, modules: tuple[str, ...] = ()) -> "socket":
        ours, its = socketpair(AF_UNIX, SOCK_SEQPACKET)
        try:
            if _has_one_thread():
                self._zygote = os.fork()
                if self._zygote == 0:
                    stand_by(its.fileno(), self._engine or self.target, modules)
            else:
                self._zygote = _spawn(its.fileno(), self.target)
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        self._control = ours
        return ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
            with suppress(ChildProcessError):
                os.waitpid(self._zygote, 0)


class Server(NamedTuple):
    """A process that serves a socket: that socket, and the pipe on which the zygote tells its ID
    and how it ended. Both are to be closed."""

    control: "socket"
    pipe: int


class _Remote:
    """A compiling process that the zygote forked and reports on."""

    def __init__(self, compiler: Compiler, zygote: int, number: int, pipe: int) -> None:
        self.parent = zygote
        self.pipe = pipe
        self._compiler = compiler
        self._number = number
        self._said = bytearray()

    @property
    def pid(self) -> int | None:
        """That of the latest attempt."""
        found = re.match(_PID_LINES, self._said)
        return int(found[1]) if found else None

    def hear(self) -> bytes | None:
        said = os.read(self.pipe, _REPLY_BYTES)
        if said:
            self._said += said
            return None
        os.close(self.pipe)
        return re.sub(_PID_LINES, b"", self._said)

    def cut(self) -> None:
        self._compiler.cut(self._number)


def _is_small(capsule: int, part: Part) -> bool:
    """Whether a capsule is a small core module as it stands, or a small artifact."""
    if part.size_bytes > SMALL_BYTES:
        return False
    return os.pread(capsule, len(_SHARED[0]), part.offset).startswith(_SHARED)


def _has_one_thread() -> bool:
    """Whether this process may fork and go on in Python; False if that cannot be found out."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _spawn(control: int, target: EngineSettings) -> int:
    """Start a new process that does what a fork of this one would."""
    actions = [
        (os.POSIX_SPAWN_DUP2, control, CONTROL),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_RDWR, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDWR, 0),
    ]
    made_as = (int(target.burns_fuel), target.max_stack_bytes, *target.bounds)
    words = [sys.executable, "-P", "-c", _STARTS, *map(str, made_as)]
    try:
        return os.posix_spawn(sys.executable, words, os.environ, file_actions=actions)
    except (FileNotFoundError, PermissionError) as error:
        from atectl.system.errors import not_started  # no lack of anything, and rare

        raise not_started(error) from None
