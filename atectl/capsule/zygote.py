"""The zygote: a process with the engine imported and one thread, which forks to compile.

It is forked while its parent has only one thread, or else started as a new process. It forks a
child for each compilation, which costs some 2 ms, reports how each ended, and ends with its parent.
"""

import gc
import os
import resource
import select
import sys
from _socket import SCM_RIGHTS, SOL_SOCKET, socket
from array import array
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Never

from atectl.capsule.forking import Child, fork
from atectl.capsule.records import decode, encode
from atectl.capsule.task import CONTROL, DESCRIPTORS, Task
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine

_PACKET_BYTES = 8192
_ANCILLARY_BYTES = 256
_MOST_DESCRIPTORS = 4096


def main() -> Never:
    """Be a zygote in a new process. With the argument `fuel` its engine counts fuel."""
    from atectl.engine.metered import Engine

    leave_signals_to_parent()
    serve(Engine(fuel=sys.argv[1:] == ["fuel"]))


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


class _Zygote:
    def __init__(self, engine: "LinkingEngine") -> None:
        self._engine = engine
        self._control = socket(fileno=CONTROL)
        self._poll = select.poll()
        self._children: dict[int, tuple[Child, int]] = {}
        """Children and where to reply for each, by the descriptor of the pipe it answers on."""

    def serve(self) -> Never:
        self._poll.register(CONTROL, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == CONTROL:
                    self._be_told()
                else:
                    self._hear(descriptor)

    def _be_told(self) -> None:
        """Receive a message: begin a compilation, cut one short, or end."""
        try:
            packet, ancillary, _, _ = self._control.recvmsg(_PACKET_BYTES, _ANCILLARY_BYTES)
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
            self._begin(Task.read(record), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)

    def _begin(self, task: Task, capsule: int, memory: int, cache: int, replies: int) -> None:
        replies = os.dup(replies)
        try:
            if task.work.module:
                import_module(task.work.module)  # here, so that no child of this one has to
            child = fork(self._engine, task, capsule, memory, cache)
        except OSError as error:
            refusal = {"fault": "system", "errno": str(error.errno)}
            self._reply(replies, b"0\n" + encode(refusal))
            return
        self._children[child.pipe] = child, replies
        self._poll.register(child.pipe, select.POLLIN)
        with suppress(OSError):
            os.write(replies, b"%d\n" % child.pid)

    def _hear(self, descriptor: int) -> None:
        """Read a child's output, and reply once the child has ended."""
        child, replies = self._children[descriptor]
        reply = child.hear()
        if reply is not None:
            self._poll.unregister(descriptor)
            del self._children[descriptor]
            self._reply(replies, reply)

    def _cut(self, number: int) -> None:
        for child, _ in self._children.values():
            if child.task.number == number:
                child.cut()

    def _end(self) -> Never:
        for child, _ in self._children.values():
            child.cut()
            os.waitpid(child.pid, 0)
        os._exit(0)

    def _reply(self, replies: int, content: bytes) -> None:
        with suppress(OSError):  # nobody waits for it any more
            os.write(replies, content)
        os.close(replies)
