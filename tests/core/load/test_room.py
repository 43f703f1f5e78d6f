"""As much work at once as fits, and never none."""

import threading
from contextlib import ExitStack

import pytest

from atectl.errors import CompilerGone
from atectl.load.room import LEAST_BYTES, Room
from tests.support.waiting import SOON_S, wait_until

MIB = 1 << 20


class Waiter:
    """A thread that takes room and keeps it until it is let go."""

    def __init__(self, room: Room, share_bytes: int, *, compiles: bool = False) -> None:
        self.is_in = threading.Event()
        self.failure: BaseException | None = None
        self._leaves = threading.Event()

        def take() -> None:
            try:
                with room.taken(share_bytes, compiles=compiles):
                    self.is_in.set()
                    self._leaves.wait(SOON_S)
            except CompilerGone as gone:
                self.failure = gone

        self._thread = threading.Thread(target=take, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        self._leaves.set()
        self._thread.join()


def has_to_wait(room: Room, share_bytes: int, *, compiles: bool = False) -> bool:
    return not room._fits(share_bytes, compiles)


def test_what_fits_together_is_done_at_once() -> None:
    room = Room(100 * MIB, 100 * MIB)
    with room.taken(60 * MIB), room.taken(40 * MIB):
        assert has_to_wait(room, 1)
    assert not has_to_wait(room, 100 * MIB)


def test_what_does_not_fit_beside_others_waits_for_them() -> None:
    room = Room(100 * MIB, 100 * MIB)
    with ExitStack() as first:
        first.enter_context(room.taken(60 * MIB))
        second = Waiter(room, 60 * MIB)
        assert not second.is_in.wait(0.05)
    assert second.is_in.wait(SOON_S)
    second.leave()


def test_one_alone_is_let_in_however_large_it_is() -> None:
    room = Room(1, 1 << 40)
    with room.taken(1 << 40):
        assert has_to_wait(room, 1)


def test_no_more_compile_at_once_than_there_are_cores_for() -> None:
    room = Room(100 * MIB, 100 * MIB, compiles=1)
    with room.taken(MIB, compiles=True):
        assert has_to_wait(room, MIB, compiles=True)
        assert not has_to_wait(room, MIB)


def test_room_is_given_back_by_work_that_fails() -> None:
    room = Room(100 * MIB, 100 * MIB, compiles=1)
    with pytest.raises(ZeroDivisionError), room.taken(100 * MIB, compiles=True):
        raise ZeroDivisionError
    assert not has_to_wait(room, 100 * MIB, compiles=True)


def test_whoever_waits_is_sent_away_as_it_closes() -> None:
    room = Room(100 * MIB, 100 * MIB)
    with room.taken(100 * MIB):
        waiter = Waiter(room, MIB)
        room.close()
        wait_until(lambda: waiter.failure is not None)
    with pytest.raises(CompilerGone), room.taken(MIB):
        pass


@pytest.mark.parametrize(
    ("estimate_bytes", "share_bytes"),
    [(0, LEAST_BYTES), (MIB, LEAST_BYTES + MIB), (1 << 40, 500 * MIB)],
)
def test_a_share_is_somewhat_more_than_an_estimate_but_no_more_than_the_most(
    estimate_bytes: int, share_bytes: int
) -> None:
    assert Room(1000 * MIB, 500 * MIB).share(estimate_bytes) == share_bytes
