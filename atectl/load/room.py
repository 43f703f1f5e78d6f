"""The memory that loading may take: as much work at once as fits, and never none."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from atectl.errors import CompilerGone

LEAST_BYTES = 48 << 20
"""What any process is given beside what it is estimated to take."""


class Room:
    """Memory for processes that load capsules, given out and taken back.

    Args:
        size_bytes: how much there is for all of them.
        most_bytes: the most that one may have.
        compiles: how many may compile at once. One compilation keeps all cores busy, and more at
            once would only hold more memory.
    """

    def __init__(self, size_bytes: int, most_bytes: int, compiles: int | None = None) -> None:
        self.most_bytes = max(min(size_bytes, most_bytes), 1)
        self._size_bytes = size_bytes
        self._given_bytes = 0
        self._compiles_left = compiles or len(os.sched_getaffinity(0))
        self._changed = threading.Condition()
        self._is_closed = False

    def share(self, estimate_bytes: int) -> int:
        """What one is given that may take so much: somewhat more, but no more than the most."""
        return min(estimate_bytes + LEAST_BYTES, self.most_bytes)

    @contextmanager
    def taken(self, share_bytes: int, *, compiles: bool = False) -> Iterator[None]:
        """Have so much while this is entered; wait for it if others have too much now.

        Whoever would be alone need not wait, however much it is.

        Raises:
            CompilerGone: this was closed (exit 125).
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._fits(share_bytes, compiles))
            if self._is_closed:
                raise CompilerGone("loading was ended")
            self._given_bytes += share_bytes
            self._compiles_left -= compiles
        try:
            yield
        finally:
            with self._changed:
                self._given_bytes -= share_bytes
                self._compiles_left += compiles
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more, and nobody in."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _fits(self, share_bytes: int, compiles: bool) -> bool:
        if compiles and self._compiles_left <= 0:
            return False
        return not self._given_bytes or self._given_bytes + share_bytes <= self._size_bytes
