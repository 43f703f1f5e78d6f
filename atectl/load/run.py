"""Loading many capsules: a few at once, in one room, watched, and ended in order."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from atectl import config
from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.policies import rules
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.engine.settings import DEFAULT_SETTINGS
from atectl.errors import AtectlError, CacheUnusable
from atectl.load.inputs import Item
from atectl.load.loader import Loader
from atectl.load.memory_watch import MemoryWatch, Sample
from atectl.load.naive import NaiveLoader
from atectl.load.plan import Plan
from atectl.load.results import LoadedCapsule, LoadReport
from atectl.system.descriptors import raise_limit
from atectl.system.memory import resident_bytes

Judge = Callable[[LoadedCapsule], LoadedCapsule]


class Watched(NamedTuple):
    """A report, and what was held over time: here, and by the naive loader if it was asked for."""

    report: LoadReport
    samples: tuple[Sample, ...]
    naive_samples: tuple[Sample, ...] = ()


class LoadRun:
    """One run of `atectl load`. To be used with `with`.

    Attributes:
        warnings: what went wrong and hindered nothing.
        limit_bytes: what loading is held to, by estimate.
    """

    def __init__(self, plan: Plan) -> None:
        raise_limit()
        self.warnings: list[AtectlError] = []
        self.limit_bytes = plan.settled_limit_bytes()
        self._concurrency = plan.concurrency
        self._uses_cache = plan.uses_cache
        self._opened = ExitStack()
        self._is_stopped = threading.Event()
        self._naive = NaiveLoader()
        limits = plan.compiling.settled(self.limit_bytes)
        self._compiler = Compiler(DEFAULT_SETTINGS, limits)
        # No guest is ever held here, so that what loads may take all that there is.
        budget = Budget(self.limit_bytes, soft=1.0, resume=1.0)
        arbiter = Arbiter(budget, rules("park"), lambda: None, resident=_held_bytes)
        arbiter.measure_baseline()
        cores = len(os.sched_getaffinity(0))
        self._room = arbiter.compile_room(cores, limits.memory_bytes or self.limit_bytes)

    def __enter__(self) -> "LoadRun":
        self._opened.enter_context(self._compiler)
        self._compiler.prepare()  # before there is another thread
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def stop(self) -> None:
        """Begin no capsule more, and cut short those on their way. Any thread may call it."""
        self._is_stopped.set()
        self._naive.stop()
        self._compiler.close()

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped.is_set()

    def load(
        self,
        items: Sequence[Item],
        judge: Judge = lambda row: row,
        told: Callable[[Item, LoadedCapsule], None] = lambda _item, _row: None,
        *,
        beside_naive: bool = False,
    ) -> Watched:
        """Load capsules.

        Args:
            judge: what else they are held to; what it returns stands in the report.
            told: of each as it is done, by this thread.
            beside_naive: whether the naive loader is to load them afterwards, for comparison.

        Raises:
            PythonNotStarted, InternalError: the naive loader did not begin, or failed (exit 125).
        """
        loader = Loader(self._compiler, self._open_cache(), self._room, lambda: not self.is_stopped)
        began_s = time.monotonic()
        with MemoryWatch() as watch, ThreadPoolExecutor(self._concurrency, "load") as pool:

            def load(item: Item) -> LoadedCapsule | None:
                row = None if self.is_stopped else judge(loader.load(item))
                # What was cut short says nothing of its capsule.
                return None if self.is_stopped and row is not None and not row.is_ok else row

            places = {pool.submit(load, item): place for place, item in enumerate(items)}
            rows: list[LoadedCapsule | None] = [None] * len(items)
            for done in as_completed(places):
                place = places[done]
                row = rows[place] = done.result()
                if row is not None:
                    told(items[place], row)
        found = self._watched(rows, watch, time.monotonic() - began_s)
        if not beside_naive:
            return found
        naive = self._naive.run(items, self._concurrency)
        report = found.report._replace(naive=naive)
        return found._replace(report=report, naive_samples=self._naive.samples)

    def _watched(
        self, rows: Iterable[LoadedCapsule | None], watch: MemoryWatch, wall_s: float
    ) -> Watched:
        capsules = tuple(row for row in rows if row is not None)
        report = LoadReport(
            capsules=capsules,
            bad=sum(not row.is_ok for row in capsules),
            wall_s=round(wall_s, 6),
            limit_bytes=self.limit_bytes,
            peak_bytes=watch.peak_bytes,
            host_peak_bytes=watch.own_peak_bytes,
        )
        return Watched(report, tuple(watch.samples))

    def _open_cache(self) -> ArtifactCache:
        """The cache of this user, or one that lasts as long as this does."""
        max_bytes = config.cache_max_bytes()
        folder = config.cache_dir()
        if self._uses_cache:
            try:
                return self._opened.enter_context(ArtifactCache.open(folder, max_bytes=max_bytes))
            except CacheUnusable as error:
                self.warnings.append(error)
        folder = Path(self._opened.enter_context(TemporaryDirectory(prefix="atectl-")))
        return self._opened.enter_context(ArtifactCache.open(folder, max_bytes=max_bytes))


def _held_bytes() -> int | None:
    """What this process has, the one that forks for it has too."""
    held_bytes = resident_bytes()
    return None if held_bytes is None else 2 * held_bytes
