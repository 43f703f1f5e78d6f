"""A loop on one thread that calls back what waits: for a descriptor, another thread, or time."""

import heapq
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count

Call = Callable[[], None]


class Loop:
    """Calls what is due, one call after another. To be closed.

    Its methods are for the thread that runs it, but for `post`.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._wakes = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._watched: dict[int, Call] = {}
        self._posted: deque[Call] = deque()
        self._timed: list[tuple[float, int, Call]] = []
        self._numbers = count()
        self._sleeps = False
        self._thread = 0
        self._poll.register(self._wakes, select.EPOLLIN)

    def watch(self, descriptor: int, when_ready: Call) -> None:
        """Have `when_ready` called for as long as there is something to read, or an end."""
        self._watched[descriptor] = when_ready
        self._poll.register(descriptor, select.EPOLLIN)

    def watch_writing(self, descriptor: int, *, too: bool) -> None:
        """Whether what watches a descriptor is called as well while that can be written."""
        mask = select.EPOLLIN | select.EPOLLOUT if too else select.EPOLLIN
        self._poll.modify(descriptor, mask)

    def unwatch(self, descriptor: int) -> None:
        """Watch it no more. To be called before it is closed."""
        if self._watched.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def post(self, call: Call) -> None:
        """Have something called soon, on the thread of the loop. Any thread may call this, and a
        signal handler."""
        self._posted.append(call)
        if self._sleeps:
            self._sleeps = False
            os.eventfd_write(self._wakes, 1)

    def call_at(self, at_s: float, call: Call) -> None:
        """Have something called once that time has come, by `time.monotonic`."""
        heapq.heappush(self._timed, (at_s, next(self._numbers), call))

    @property
    def is_this_thread(self) -> bool:
        """Whether whoever asks is called by the loop."""
        return threading.get_ident() == self._thread

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Call what is due, for as long as `goes_on`."""
        self._thread = threading.get_ident()
        while goes_on():
            self._call_ready(self._wait_s())
            self._call_posted()
            self._call_timed()

    def close(self) -> None:
        """Watch nothing any more; idempotent."""
        if not self._poll.closed:
            self._poll.close()
            os.close(self._wakes)

    def _wait_s(self) -> float | None:
        """How long nothing is due; None if nothing is until somebody is ready, or posts."""
        if not self._timed:
            return None
        return max(self._timed[0][0] - time.monotonic(), 0.0)

    def _call_ready(self, wait_s: float | None) -> None:
        self._sleeps = True  # from now on whoever posts wakes it
        ready = self._poll.poll(0.0 if self._posted else wait_s)
        self._sleeps = False
        for descriptor, _ in ready:
            if descriptor == self._wakes:
                os.eventfd_read(self._wakes)
                continue
            # One that was called before may have ended what this is about.
            when_ready = self._watched.get(descriptor)
            if when_ready is not None:
                when_ready()

    def _call_posted(self) -> None:
        for _ in range(len(self._posted)):
            self._posted.popleft()()

    def _call_timed(self) -> None:
        now_s, due = time.monotonic(), []
        while self._timed and self._timed[0][0] <= now_s:
            due.append(heapq.heappop(self._timed)[2])
        for call in due:
            call()
