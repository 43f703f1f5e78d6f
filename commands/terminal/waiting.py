"""Long work in native code: the user is told of it, and can interrupt it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

QUIET_S = 0.4
"""How long nothing is shown: most work is done by then."""

Result = TypeVar("Result")


@contextmanager
def telling(doing: str, *, why: str = "") -> Iterator[None]:
    """Show on a terminal, while this is entered, what the user waits for and for how long.

    Args:
        doing: what it is.
        why: what makes it worth the wait.
    """
    from .countdown import status_line

    ended, began = threading.Event(), time.monotonic() - QUIET_S
    with status_line() as show:

        def tell() -> None:
            while True:
                show(f"{doing} … {time.monotonic() - began:.0f}s{why and f' ({why})'}")
                if ended.wait(1.0):
                    return

        thread = threading.Thread(target=tell, name="telling", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def while_user_waits(doing: str, work: Callable[[], Result]) -> Result:
    """Do `work` on another thread; return its result, or raise what it raised.

    Python handles a signal only between two steps of this thread, and native code is one step:
    done here, it would hold up Ctrl-C to its end. On a terminal, `doing` is shown while the work
    takes long.
    """
    results: list[Result] = []
    failures: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=do, name=doing, daemon=True)
    thread.start()
    thread.join(QUIET_S)
    if thread.is_alive():
        with telling(doing):
            thread.join()
    if failures:
        raise failures[0]
    return results[0]
