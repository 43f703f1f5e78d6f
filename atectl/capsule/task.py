"""What a compilation is asked to do, as it travels to the process that does it."""

import os
from typing import NamedTuple

from atectl.capsule.records import escape, unescape

CONTROL = 0
"""The descriptor by which the process that forks is told what to do."""

DESCRIPTORS = 4
"""How many come with a task: capsule, artifact in memory and in the cache, and the reply's."""


class Task(NamedTuple):
    """One compilation: of which file, and what it may use.

    `number` tells it from others. `data_bytes` is its own memory, `cpu_s` whole seconds of all
    its threads together.
    """

    number: int
    name: str
    max_capsule_bytes: int
    data_bytes: int
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
        """What `record` told."""
        numbers = {name: int(record[name]) for name in cls._fields if name != "name"}
        return cls(name=unescape(record["name"]), **numbers)


def compile_threads() -> int:
    """How many threads one compilation has."""
    return min(len(os.sched_getaffinity(0)), 8)
