"""The task of a compilation, in the form in which it is sent to the process that does it."""

import os
from typing import NamedTuple

from atectl.capsule.records import escape, unescape

CONTROL = 0
"""The descriptor on which the zygote receives its tasks."""

ALL = 0
"""Stands for the numbers of all tasks."""

DESCRIPTORS = 4
"""How many come with a task: capsule, artifact in memory, artifact in the cache, reply."""

PID_LINE = b"pid %d\n"
"""What the zygote writes before a reply, of each process that does the task."""

SERVER, SERVER_TOLD, SERVER_DESCRIPTORS = "server", "told", 2
"""The record of a server that the zygote is to fork: the module that has its `serve`, and what that
is told. With it come the socket that it serves and a pipe, on which its ID is written as with a
task, and when it has ended how."""

ENDED_LINE = b"ended %d\n"
"""How it ended: its exit status, or the number of the signal that ended it, negative."""


NAME_PREFIX = "atectl-"
"""What the name of a process that does a task begins with; behind it stands what it does."""


SMALL_BYTES = 256 << 10
"""The largest file of a task that may share a process with others."""


class Work(NamedTuple):
    """What is to be done with a capsule in place of compiling it.

    `module` has a function `work`, which is given an engine and the task, and returns what is to
    be written where the artifact would be. `told` is for it alone.
    """

    module: str = ""
    told: str = ""


COMPILE = Work()
COMMAND = Work(told="command")
"""To compile what is to be run as a command, and so needs an entry point."""


class Part(NamedTuple):
    """Where in its file a capsule is."""

    offset: int
    size_bytes: int


class Task(NamedTuple):
    """One compilation, or other work of its kind: of which file, and what it may use.

    `number` identifies it. `data_bytes` is the kernel's limit on its memory at first,
    `most_data_bytes` what that may be raised to while it runs, `cpu_s` the CPU time of all its
    threads together, in whole seconds.

    `sharing` is whose it is, if the process may go on to other tasks of the same principal; empty
    for a task that has a process of its own.
    """

    number: int
    name: str
    max_capsule_bytes: int
    data_bytes: int
    most_data_bytes: int
    cpu_s: int
    niceness: int
    part: Part
    work: Work = COMPILE
    sharing: str = ""

    def record(self) -> dict[str, str]:
        """The task as named lines."""
        numbers = {name: str(getattr(self, name)) for name in _NUMBERS}
        part = {name: str(value) for name, value in self.part._asdict().items()}
        texts = {"name": self.name, "sharing": self.sharing, **self.work._asdict()}
        return {**numbers, **part, **{name: escape(text) for name, text in texts.items()}}

    @classmethod
    def read(cls, record: dict[str, str]) -> "Task":
        """The task that `record` was made from."""
        numbers = {name: int(record[name]) for name in _NUMBERS}
        part = Part(*(int(record[name]) for name in Part._fields))
        work = Work(*(unescape(record[name]) for name in Work._fields))
        name, sharing = unescape(record["name"]), unescape(record["sharing"])
        return cls(name=name, part=part, work=work, sharing=sharing, **numbers)


_NUMBERS = ("number", "max_capsule_bytes", "data_bytes", "most_data_bytes", "cpu_s", "niceness")


def compile_threads() -> int:
    """How many threads one compilation has."""
    return min(len(os.sched_getaffinity(0)), 8)
