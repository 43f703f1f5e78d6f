"""Long work inside native code that a user can interrupt and is told of."""

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

QUIET_S = 0.4
"""How long nothing is said, since most work is done by then."""

Result = TypeVar("Result")


def while_user_waits(doing: str, work: Callable[[], Result]) -> Result:
    """Do `work` on another thread and return its result, or raise what it raised.

    Native code hears of no signal, so on this thread Ctrl-C would wait for its end. On a terminal
    `doing` is shown while the work takes long.
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
    if thread.is_alive() and sys.stderr.isatty():
        # Most runs say nothing, and every run would pay for its import.
        from atectl.inert import inert_line

        sys.stderr.write(f"{inert_line(doing)} …")
        sys.stderr.flush()
        try:
            thread.join()
        finally:
            sys.stderr.write("\r\x1b[K")
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
