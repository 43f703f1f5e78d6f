"""Which threads of a cell may still open files.

The thread of a line is kept to the code of atectl before its first guest, by the kernel's Landlock,
for good. So is each thread that it starts. A lease that was granted folders or files has a thread
of its own, which opens them and is kept to them then. The cell's first thread is free, and starts
such threads in the stead of others. What a cell does for itself, such as to map code or to spill,
is done on such threads, too.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from atectl.lease.guest import start_guest_thread
from atectl.system.walls.folders import FolderRules
from atectl.system.walls.wall import Wall

if TYPE_CHECKING:
    from atectl.engine.metered import Engine
    from atectl.engine.wasi import Folder

_Result = TypeVar("_Result")


class _Here(threading.local):
    """What is known of the calling thread."""

    is_kept = False
    """Whether it is kept to the code."""


class Confinement:
    """Keeps threads to what their guests were granted, and starts others that are not kept.

    Args:
        engine: what guests run on.
        post: has something called on the cell's first thread.
    """

    def __init__(self, engine: "Engine", post: Callable[[Callable[[], None]], None]) -> None:
        self._engine = engine
        self._post = post
        self._code_alone = FolderRules(())
        self._granted: tuple[Folder, ...] = ()
        self._rules = self._code_alone
        self._lock = threading.Lock()
        self._here = _Here()

    @property
    def is_there(self) -> bool:
        """Whether threads can be confined on this system."""
        return self._code_alone.can_hold

    def keep_to_code(self) -> None:
        """Keep the calling thread to reading the code of atectl; idempotent."""
        if not self._here.is_kept:
            self._code_alone.keep_here()
            self._here.is_kept = True

    def keep_to(self, folders: "tuple[Folder, ...]") -> Wall:
        """Keep the calling thread to these folders, too. Returns whether that holds."""
        with self._lock:
            if folders != self._granted:
                if self._rules is not self._code_alone:
                    self._rules.close()
                # Most leases of a cell are granted the same.
                self._granted = folders
                self._rules = FolderRules([(each.host, each.read_only) for each in folders])
            return self._rules.keep_here()

    def openly(self, function: Callable[[], _Result]) -> _Result:
        """Call something on a thread that `keep_to_code` does not keep: this one, while it may."""
        return self.apart(function) if self._here.is_kept else function()

    def apart(self, function: Callable[[], _Result]) -> _Result:
        """Call something on a thread that is not confined, with the stack of a guest, and wait."""
        if not self.is_there:
            return function()
        ended = threading.Event()
        results: list[_Result] = []
        failures: list[BaseException] = []

        def call() -> None:
            try:
                results.append(function())
            except BaseException as failure:
                failures.append(failure)
            finally:
                ended.set()

        def start() -> None:
            try:
                start_guest_thread(self._engine, call, "cell-apart")
            except BaseException as failure:
                failures.append(failure)
                ended.set()

        self._post(start)
        ended.wait()
        if failures:
            raise failures[0]
        return results[0]
