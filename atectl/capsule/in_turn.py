"""Work on a capsule that waits for its turn and for memory, and is begun again if need be."""

from collections.abc import Callable
from typing import TypeVar

from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.compiles import Ask, Grant
from atectl.capsule.verdict import OutgrewGrant
from atectl.errors import AtectlError, CompilerGone
from atectl.units import format_size

Answer = TypeVar("Answer")


def in_turn(
    name: str,
    room: CompileRoom,
    ask: Ask,
    is_wanted: Callable[[], bool],
    work: Callable[[Grant], Answer],
) -> Answer:
    """Do work once there is room for it; once more as often as its memory is wanted back, or as it
    turns out to need more.

    Args:
        name: of the capsule's file, for messages.
        is_wanted: asked now and then whether anybody still waits for it.
        work: is given the memory that it may take.

    Raises:
        CompilerGone: nobody waits for it any more, or its process was ended (exit 125).
        NoRoomToCompile: the limit left too little memory for it (exit 137).
    """
    while True:
        grant = room.enter(ask, is_wanted)
        if grant is None:
            raise CompilerGone(f"{name}: nobody waits for it any more")
        try:
            return work(grant)
        except OutgrewGrant:
            if grant.has_all:
                raise _no_room(name, grant) from None
            ask.needed_bytes = max(ask.needed_bytes, 2 * grant.granted_bytes)
        except CompilerGone:
            if not (grant.is_to_end and is_wanted()):
                raise
        finally:
            room.leave(grant)


def _no_room(name: str, grant: Grant) -> AtectlError:
    from atectl.capsule.errors import NoRoomToCompile

    granted = format_size(grant.granted_bytes)
    return NoRoomToCompile(
        f"{name} takes more than {granted} of memory to compile, and the host's limit left no more"
    )
