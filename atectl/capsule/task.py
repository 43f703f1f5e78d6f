"""The task of a compilation, in the form in which it is sent to the process that does it."""

import os
from typing import NamedTuple

from atectl.capsule.records import escape, unescape

CONTROL = 0
"""The descriptor on which the zygote receives its tasks."""

DESCRIPTORS = 4
"""How many come with a task: capsule, artifact in memory, artifact in the cache, reply."""


class Task(NamedTuple):
    """One compilation: of which file, and what it may use.

    `number` identifies it. `data_bytes` is the memory it may allocate at first, `most_data_bytes`
    what that may be raised to while it runs, `cpu_s` the CPU time of all its threads together, in
    whole seconds.
    """

    number: int
    name: str
    max_capsule_bytes: int
    data_bytes: int
    most_data_bytes: int
    cpu_s: int
    niceness: int

    def record(self) -> dict[str, str]:
        """The task as named lines."""
        return {
            **{name: str(value) for name, value in self._asdict().items()},
            "name": escape(self.name),
        }

    @classmethod
    def read(cls, record: dict[str, str]) -> "Task":
        """The task that `record` was made from."""
        numbers = {name: int(record[name]) for name in cls._fields if name != "name"}
        return cls(name=unescape(record["name"]), **numbers)


def compile_threads() -> int:
    """How many threads one compilation has."""
    return min(len(os.sched_getaffinity(0)), 8)
