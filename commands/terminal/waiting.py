"""Long work in native code: the user is told of it, and can interrupt it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

QUIET_S = 0.4
"""How long nothing is shown: most work is done by then."""

Result = TypeVar("Result")


@contextmanager
def telling(doing: str) -> Iterator[None]:
    """Show on a terminal, while this is entered, that the user waits for `doing`."""
    from .countdown import status_line

    with status_line() as show:
        show(f"{doing} …")
        yield


def while_user_waits(doing: str, work: Callable[[], Result], *, is_told: bool = True) -> Result:
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
        with telling(doing) if is_told else nullcontext():
            thread.join()
    if failures:
        raise failures[0]
    return results[0]
