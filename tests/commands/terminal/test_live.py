"""What is shown live: when looks are taken, what they change, and when it is over."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.commands.terminal.events import Resized
from atectl.commands.terminal.live import Live
from tests.support.waiting import wait_until

INTERVAL_S = 5.0


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Seen(NamedTuple):
    """Every event in order."""

    events: tuple[object, ...] = ()


def reduce(state: Seen, event: object) -> Seen:
    return Seen((*state.events, event))


class Server:
    """Answers with the number of the look, as soon as it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.failure: Exception | None = None

    def look(self) -> int:
        self.asked += 1
        self.may_answer.wait(60)
        if self.failure is not None:
            raise self.failure
        return self.asked


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.may_answer.set()


@pytest.fixture
def make(clock: Clock, server: Server) -> Iterator[Callable[..., Live[Seen, int]]]:
    made: list[Live[Seen, int]] = []

    def make(**settings: float | int | None) -> Live[Seen, int]:
        live: Live[Seen, int] = Live(
            Seen(),
            server.look,
            reduce,
            lambda state: "\n".join(map(str, state.events)),
            interval_s=INTERVAL_S,
            clock=clock,
            **settings,  # type: ignore[arg-type]
        )
        made.append(live)
        return live

    yield make
    for live in made:
        live.close()


Make = Callable[..., Live[Seen, int]]


def answered(live: Live[Seen, int]) -> None:
    """Go on until there is an answer."""
    wait_until(live.update)


def test_the_first_look_is_taken_at_once(make: Make) -> None:
    live = make()
    assert live.patience_s() == 0
    answered(live)
    assert live.state.events == (1,)


def test_the_first_look_can_be_put_off(make: Make, clock: Clock, server: Server) -> None:
    live = make(first_look_s=3.0)
    assert not live.update()
    assert live.patience_s() == 3
    clock.now += 3
    answered(live)
    assert server.asked == 1


def test_the_next_look_is_an_interval_after_the_answer(
    make: Make, clock: Clock, server: Server
) -> None:
    live = make()
    live.update()
    clock.now += 60  # a slow server
    answered(live)
    assert live.patience_s() == INTERVAL_S
    clock.now += INTERVAL_S - 0.1
    live.update()
    assert server.asked == 1
    clock.now += 0.1
    answered(live)
    assert live.state.events == (1, 2)


def test_a_look_that_takes_long_holds_up_nothing(make: Make, server: Server) -> None:
    server.may_answer.clear()
    live = make()
    assert not live.update()
    wait_until(lambda: server.asked)
    assert live.patience_s() is None
    live.feed(7)
    assert live.state.events == (7,)
    assert server.asked == 1
    server.may_answer.set()
    answered(live)
    assert live.state.events == (7, 1)


def test_its_descriptor_is_readable_while_there_is_an_answer(make: Make) -> None:
    live = make()
    live.update()
    wait_until(lambda: is_readable(live.reader))
    assert live.update()
    assert not is_readable(live.reader)


def is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_while_it_is_paused_no_look_is_taken(make: Make, clock: Clock, server: Server) -> None:
    live = make()
    assert live.patience_s(is_paused=True) is None
    assert not live.update(is_paused=True)
    assert server.asked == 0
    answered(live)
    assert server.asked == 1


def test_what_a_look_raises_is_raised_where_it_is_waited_for(make: Make, server: Server) -> None:
    server.failure = ZeroDivisionError("seven")
    live = make()
    live.update()
    with pytest.raises(ZeroDivisionError, match="seven"):
        answered(live)


def test_it_is_over_when_the_look_after_the_last_is_due(make: Make, clock: Clock) -> None:
    live = make(looks=2)
    answered(live)
    clock.now += INTERVAL_S
    answered(live)
    assert not live.is_over
    clock.now += INTERVAL_S
    live.update(is_paused=True)
    assert not live.is_over
    live.update()
    assert live.is_over
    assert live.state.events == (1, 2)


def test_a_new_size_is_an_event_and_what_is_drawn_fits_in_it(make: Make) -> None:
    live = make()
    live.resize(20, 2)
    for event in (1, 2, 3):
        live.feed(event)
    assert live.state.events[0] == Resized(20, 2)
    live.resize(30, 3)
    assert live.lines() == ["Resized(width=20, height=2)", "1", "2"]


def test_a_look_that_outlives_it_writes_to_no_other_file(
    make: Make, server: Server, tmp_path: Path
) -> None:
    server.may_answer.clear()
    live = make()
    live.update()
    wait_until(lambda: server.asked)
    number = live.reader
    live.close()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    if other != number:
        os.dup2(other, number)
        os.close(other)
    server.may_answer.set()
    wait_until(lambda: "live look" not in {each.name for each in threading.enumerate()})
    os.close(number)
    assert (tmp_path / "other").read_bytes() == b""
