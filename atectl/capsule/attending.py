"""Looking after a process that compiles under a budget: what it takes, what more it may take."""

from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.compiles import Grant
from atectl.capsule.compilation import LOOK_S, Compilation

_LEAST_LEFT_BYTES = 4 << 20
_LEFT_SHARE = 4
"""It is granted more when it has left less than one part in so many of what it was granted."""


def attend(compilation: Compilation, room: CompileRoom, grant: Grant) -> None:
    """Look after a compilation until it is over, or has taken as long as it may."""
    is_cut = False
    while not (compilation.wait(LOOK_S) or compilation.is_late):
        if grant.is_to_end and not is_cut:
            compilation.cut()
            is_cut = True
        taken = compilation.taken()
        if taken is None:
            continue
        room.note(grant, taken.own_bytes)
        if taken.left_bytes < max(grant.granted_bytes // _LEFT_SHARE, _LEAST_LEFT_BYTES):
            compilation.grant(room.extend(grant, grant.granted_bytes))
