"""Work of a process that compiles: it takes memory piece by piece, and touches it or not."""

import mmap
import time

from atectl.capsule.interface import LinkingEngine
from atectl.capsule.task import Task

_PIECE_BYTES = 1 << 20
_MOST_REFUSALS = 100


def work(_engine: LinkingEngine, task: Task) -> bytes:
    """Take as many MiB as it is told, if it gets them; how many it got.

    It asks again for a while when it is refused: the limit may follow.
    """
    content = bytes(_PIECE_BYTES)
    kind, count = task.work.told.split()
    pieces: list[mmap.mmap] = []
    refusals = 0
    while len(pieces) < int(count) and refusals < _MOST_REFUSALS:
        try:
            piece = mmap.mmap(-1, _PIECE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError:
            refusals += 1
            time.sleep(0.01)
            continue
        if kind == "touched":
            piece.write(content)
        pieces.append(piece)
    return str(len(pieces)).encode()
