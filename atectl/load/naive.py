"""The naive loader beside `atectl load`, for comparison: see `naive_child`."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from atectl.errors import InternalError
from atectl.load.inputs import Item
from atectl.load.memory_watch import MemoryWatch, Sample
from atectl.system.errors import not_started

_PROGRAM = "from atectl.load.naive_child import main; main()"


class NaiveRun(NamedTuple):
    """What the naive loader took for the same capsules."""

    loaded: int
    """How many of them it could compile."""
    wall_s: float
    """How long it took."""
    peak_bytes: int | None
    """The most that its process held; null where the system does not tell."""


class NaiveLoader:
    """One run of it; it can be ended from another thread."""

    def __init__(self) -> None:
        self.samples: tuple[Sample, ...] = ()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False

    def run(self, items: Sequence[Item], concurrency: int) -> NaiveRun | None:
        """Load these, and watch what is held meanwhile; None if it was ended.

        Raises:
            PythonNotStarted: there is no process for it (exit 125).
            InternalError: it failed (exit 125).
        """
        question = {"items": [_told(item) for item in items], "concurrency": concurrency}
        began_s = time.monotonic()
        with self._lock:
            if self._is_stopped:
                return None
            self._process = _start()
        with MemoryWatch(self._process.pid) as watch:
            answer, _ = self._process.communicate(json.dumps(question))
        self.samples = tuple(watch.samples)
        if self._is_stopped:
            return None
        if self._process.returncode:
            raise InternalError(f"the naive loader ended with {self._process.returncode}")
        wall_s = round(time.monotonic() - began_s, 6)
        return NaiveRun(json.loads(answer)["loaded"], wall_s, watch.peak_bytes)

    def stop(self) -> None:
        """End it, and begin none. Any thread may call it."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()


def _start() -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise not_started(error) from None


def _told(item: Item) -> list[object]:
    part = item.part
    return [str(item.path), part.offset if part else 0, part.size_bytes if part else None]
