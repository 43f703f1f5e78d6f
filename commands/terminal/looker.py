"""Looking at something on a thread of its own."""

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Looker(Generic[Found]):
    """Calls `look` on its thread each time it is asked to. To be closed.

    `reader` is a descriptor that is readable when there is an answer.
    """

    def __init__(self, look: Callable[[], Found]) -> None:
        self.reader = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.is_looking = False
        self._look = look
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._found: list[Found] = []
        self._failures: list[BaseException] = []
        self._mutex = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="live look", daemon=True)

    def ask(self) -> None:
        """Begin a look; none may be under way."""
        self.is_looking = True
        if self._thread.ident is None:
            self._thread.start()
        self._asked.put(True)

    def answer(self) -> list[Found]:
        """What a look has found since the last call: nothing, or one thing.

        Raises:
            BaseException: what the look raised.
        """
        with self._mutex:
            if not (self._found or self._failures):
                return []
            os.eventfd_read(self.reader)
            found, self._found = self._found, []
            failures, self._failures = self._failures, []
        self.is_looking = False
        if failures:
            raise failures[0]
        return found

    def close(self) -> None:
        """Let the thread end; a look that is under way is not waited for."""
        with self._mutex:
            if self._is_closed:
                return
            self._is_closed = True
            os.close(self.reader)
        self._asked.put(False)

    def _work(self) -> None:
        while self._asked.get():
            try:
                found, failures = [self._look()], []
            except BaseException as failure:
                found, failures = [], [failure]
            with self._mutex:
                # By now the number of a closed descriptor may be that of another file.
                if self._is_closed:
                    return
                self._found, self._failures = found, failures
                os.eventfd_write(self.reader, 1)
