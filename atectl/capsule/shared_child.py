"""The process that does several small tasks of one principal, one after another.

A fork costs as much as compiling a small capsule does. So such a process says after each task
whether it can take another, and is sent the next one by the zygote. Each task has its own limits
of memory and time. What a task leaves behind is bounded: see `_may_go_on`.

It opens nothing once it has begun. Between two tasks it closes the files of the last one, and the
files of the next one arrive under the same numbers.
"""

import os
import resource
from _socket import CMSG_SPACE, socket
from array import array
from typing import TYPE_CHECKING, Never

from atectl.capsule.compile_child import (
    ANSWER,
    CACHE,
    CAPSULE,
    MARK,
    MEMORY,
    NEXT,
    PEAK,
    SIZES,
    Spare,
    answer,
    confine,
    limit,
    sizes,
    tell,
)
from atectl.capsule.records import decode
from atectl.capsule.task import Task

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine

READY = MARK + b"ready" + MARK
"""The end of an answer after which the process waits for another task."""

FILES = (CAPSULE, MEMORY, CACHE)
"""The descriptors that come with each further task, in the order of their numbers."""

PACKET_BYTES = 8192

_MOST_TASKS = 100
_MOST_LEFT_BYTES = 8 << 20
"""How much more data than at its beginning the process may have between two tasks."""

_STATM_BYTES = 200
_RESET_PEAK = b"5"


def serve_and_exit(engine: "LinkingEngine", task: Task, parent: int) -> Never:
    """Do a task in this process, and further ones as long as it is sent any; then end.

    Args:
        parent: the process whose end also ends this one.
    """
    try:
        _open("/proc/self/statm", os.O_RDONLY, SIZES)
        _open("/proc/self/clear_refs", os.O_WRONLY, PEAK)
        resident, data = _sizes()
        tell({"began_with": str(resident)})
        confine(task, data, parent, Spare(task.cpu_s, _MOST_LEFT_BYTES))
        files, cpu_s = _file_limit(), _cpu_s()
        said = answer(engine, task)
        tell(said)
        for _ in range(1, _MOST_TASKS):
            # Where the artifact could not be kept in its file, that limit was lifted.
            if "fault" in said or _file_limit() != files or not _may_go_on(task, data):
                break
            _tell_what_it_took(cpu_s)
            following = _next()
            if following is None:
                break
            task, cpu_s = following, _cpu_s()
            tell({"began_with": str(resident)})
            _begin(task)
            said = answer(engine, task)
            tell(said)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _open(path: str, flags: int, number: int) -> None:
    descriptor = os.open(path, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)


def _begin(task: Task) -> None:
    """Set the limits of another task, from what this process has and has used by now."""
    os.write(PEAK, _RESET_PEAK)
    _, data = _sizes()
    for kind, wanted in (
        (resource.RLIMIT_CPU, int(_cpu_s()) + task.cpu_s),
        (resource.RLIMIT_DATA, data + task.data_bytes),
    ):
        limit(kind, wanted, resource.getrlimit(kind)[1])


def _may_go_on(task: Task, data_bytes: int) -> bool:
    """Whether little memory is left of the tasks before, and CPU time for another one.

    Args:
        data_bytes: the data size at the beginning.
    """
    left_bytes = _sizes()[1] - data_bytes
    return left_bytes <= _MOST_LEFT_BYTES and _cpu_s() < task.cpu_s


def _tell_what_it_took(cpu_s: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    tell({"cpu": repr(_cpu_s() - cpu_s), "peak": str(usage.ru_maxrss * 1024)})
    os.write(ANSWER, READY)


def _next() -> Task | None:
    """Wait for another task; None if there is none."""
    for descriptor in FILES:
        os.close(descriptor)
    told = socket(fileno=NEXT)
    try:
        space = CMSG_SPACE(len(FILES) * array("i").itemsize)
        packet, ancillary, _, _ = told.recvmsg(PACKET_BYTES, space)
    finally:
        told.detach()
    record = decode(packet)
    if record is None or not ancillary or tuple(array("i", ancillary[0][2])) != FILES:
        return None
    return Task.read(record)


def _sizes() -> tuple[int, int]:
    return sizes(os.pread(SIZES, _STATM_BYTES, 0))


def _file_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0]


def _cpu_s() -> float:
    """The CPU time that this process has used so far, of all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
