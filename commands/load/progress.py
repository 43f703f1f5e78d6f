"""How far loading has come, on a terminal."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atectl.units import format_duration, show_size

from ..terminal.countdown import status_line

if TYPE_CHECKING:
    from atectl.load.inputs import Item
    from atectl.load.results import LoadedCapsule

_BAR_COLUMNS = 20
_FULL, _EMPTY = "#", "."


@contextmanager
def progress(items: "Sequence[Item]") -> "Iterator[Callable[[Item, LoadedCapsule], None]]":
    """A line with a bar, the rate and the time that is left; off a terminal nothing.

    It is given what takes each capsule as it is done.
    """
    began_s = time.monotonic()
    total_bytes = sum(item.size_bytes for item in items)
    done = done_bytes = 0

    def tell(item: "Item", _row: "LoadedCapsule") -> None:
        nonlocal done, done_bytes
        done, done_bytes = done + 1, done_bytes + item.size_bytes
        took_s = time.monotonic() - began_s
        show(progress_line(done, len(items), done_bytes, total_bytes, took_s))

    with status_line() as show:
        show(progress_line(0, len(items), 0, total_bytes, 0.0))
        yield tell


def progress_line(done: int, count: int, done_bytes: int, total_bytes: int, took_s: float) -> str:
    """So many of so many capsules, their sizes, how fast, and how long the rest may take."""
    share = done_bytes / total_bytes if total_bytes else done / max(count, 1)
    full = int(share * _BAR_COLUMNS)
    line = f"loading {_FULL * full}{_EMPTY * (_BAR_COLUMNS - full)} {done} of {count}"
    if not done or took_s <= 0:
        return line
    rate = f"{show_size(done_bytes / took_s)}/s, {done / took_s:.1f}/s"
    left = f", {format_duration(took_s * (1 - share) / share)} left" if 0 < share < 1 else ""
    return f"{line}, {rate}{left}"
