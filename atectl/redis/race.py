"""Asking several servers for the same thing: the first that answers is enough."""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from atectl.redis.errors import RedisFailure, RedisTimeout, RedisUnreachable

Answer = TypeVar("Answer")

HEAD_START_S = 0.3
"""How long a server is waited for before the next is asked as well."""


class Race(Generic[Answer]):
    """Asks one server after another, each on a thread of its own.

    The next is asked as soon as one has failed, or has not answered for a moment. So a server that
    hangs, or a name that cannot be resolved, delays nobody who has named another.

    Args:
        questions: one for each server, in the order in which they are to be asked.
        discard: what is done with an answer that comes too late.
    """

    def __init__(
        self,
        questions: Sequence[Callable[[], Answer]],
        discard: Callable[[Answer], object] = lambda _answer: None,
    ) -> None:
        self._questions = questions
        self._discard = discard
        self._told: SimpleQueue[tuple[Answer | None, BaseException | None]] = SimpleQueue()
        self._mutex = threading.Lock()
        self._is_over = False

    def winner(self, timeout_s: float, late: RedisTimeout) -> Answer:
        """The first answer.

        Args:
            timeout_s: how long to wait for it, in seconds.
            late: the error to raise if nobody has answered by then.

        Raises:
            RedisFailure: nobody has answered in time, or all have failed (exit 125).
            AtectlError: what a server told is no reason to ask another, as it is about the
                settings.
        """
        ends_at = time.monotonic() + timeout_s
        head_start_s = min(HEAD_START_S, timeout_s / 4)
        faults: list[RedisFailure] = []
        asked = 0
        try:
            while True:
                if asked < len(self._questions):
                    self._ask(self._questions[asked])
                    asked += 1
                left_s = ends_at - time.monotonic()
                if asked < len(self._questions):
                    left_s = min(left_s, head_start_s)
                try:
                    answer, fault = self._told.get(timeout=max(left_s, 0))
                except Empty:
                    if time.monotonic() < ends_at and asked < len(self._questions):
                        continue
                    raise most_telling([late, *faults]) from None
                if fault is None:
                    return answer  # type: ignore[return-value]
                if not isinstance(fault, RedisFailure):
                    raise fault
                faults.append(fault)
                if len(faults) == len(self._questions):
                    raise most_telling(faults)
        finally:
            self._end()

    def _ask(self, question: Callable[[], Answer]) -> None:
        threading.Thread(target=self._answer, args=(question,), name="redis", daemon=True).start()

    def _answer(self, question: Callable[[], Answer]) -> None:
        try:
            answer = question()
        except BaseException as fault:
            self._told.put((None, fault))
            return
        with self._mutex:
            if not self._is_over:
                self._told.put((answer, None))
                return
        self._discard(answer)

    def _end(self) -> None:
        with self._mutex:
            self._is_over = True
        while True:
            try:
                answer, fault = self._told.get_nowait()
            except Empty:
                return
            if fault is None:
                self._discard(answer)  # type: ignore[arg-type]


def most_telling(faults: Sequence[RedisFailure]) -> RedisFailure:
    """Of the faults of several servers, the one to tell; all of them, if none stands out."""
    for fault in faults:
        if not isinstance(fault, RedisUnreachable | RedisTimeout):
            return fault
    first = faults[0]
    messages = list(dict.fromkeys(map(str, faults)))
    return first if len(messages) == 1 else type(first)("; ".join(messages), remedy=first.remedy)
