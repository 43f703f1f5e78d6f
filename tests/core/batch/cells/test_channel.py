"""The host's end of a line never waits, and loses nothing."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from atectl.batch.cells.channel import Channel, LongMessages
from atectl.batch.cells.wire import MAX_MESSAGE_BYTES, Gone, Message, Wire, framed
from atectl.batch.loop import Loop
from tests.support.waiting import SOON_S


class Ends:
    """A channel, and what is at its other end."""

    def __init__(self, loop: Loop | None = None, long_messages: LongMessages | None = None) -> None:
        ours, its = socket.socketpair()
        self.heard: list[Message | None] = []
        self.loop = loop or Loop()
        shared = long_messages or LongMessages()
        self.channel = Channel(ours, self.loop, self._hear, MAX_MESSAGE_BYTES, shared)
        self.other = Wire(its)
        self.its = its

    def _hear(self) -> None:
        try:
            self.heard.extend(self.channel.received())
        except Gone:
            self.heard.append(None)
            self.channel.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.channel.close()
    ends.other.close()
    ends.loop.close()


def test_messages_that_arrive_together_are_heard_one_by_one(ends: Ends) -> None:
    for number in range(3):
        ends.other.send({"a": number})
    ends.loop.run(lambda: len(ends.heard) < 3)
    assert [each and each.content for each in ends.heard] == [{"a": 0}, {"a": 1}, {"a": 2}]


def test_what_the_other_end_does_not_read_yet_is_sent_when_it_does(ends: Ends) -> None:
    long = {"long": "x" * (4 << 20)}
    ends.channel.send(long)
    ends.channel.send({"then": 1})
    received: list[object] = []

    def receive() -> None:
        ends.its.settimeout(0.2)
        while (message := ends.other.receive_now()) is None:
            break
        if message is not None:
            received.append(message.content)
        ends.loop.post(receive)

    receive()
    ends.loop.run(lambda: len(received) < 2)
    assert received == [long, {"then": 1}]


def test_descriptors_go_with_their_message(ends: Ends) -> None:
    reading, writing = os.pipe()
    ends.channel.send({"first": 1}, (writing,))
    os.close(writing)
    message = ends.other.receive()
    os.write(message.descriptors[0], b"x")
    assert os.read(reading, 9) == b"x"
    for each in (reading, *message.descriptors):
        os.close(each)


def test_the_end_of_the_other_is_heard(ends: Ends) -> None:
    ends.other.close()
    ends.loop.run(lambda: not ends.heard)
    assert ends.heard == [None]
    assert ends.channel.is_closed


def test_what_cannot_be_sent_is_heard_as_an_end_and_not_raised(ends: Ends) -> None:
    ends.loop.unwatch(ends.channel._stream.fileno())
    ends.other.close()
    ends.channel.send({"a": 1})
    ends.loop.run(lambda: not ends.heard)
    assert ends.heard == [None]


def test_closing_it_is_idempotent(ends: Ends) -> None:
    ends.channel.close()
    ends.channel.close()


LONG = {"long": "x" * (4 << 20)}
PART = framed(LONG, 0)[: 1 << 20]
REST = framed(LONG, 0)[1 << 20 :]


def send_all(ends: Ends, data: bytes) -> None:
    """Send on a thread, as nobody may take it yet, or ever."""

    def send() -> None:
        with suppress(OSError):
            ends.its.sendall(data)

    ends.its.settimeout(SOON_S)
    threading.Thread(target=send, daemon=True).start()


def turn(loop: Loop, until: Callable[[], bool]) -> None:
    """Run a loop until something is true, and fail if that is not so soon."""
    until_s = time.monotonic() + SOON_S

    def look() -> None:
        assert time.monotonic() < until_s
        loop.post(look)

    look()
    loop.run(lambda: not until())


@pytest.fixture
def two() -> Iterator[tuple[Ends, Ends]]:
    """Two lines of one cell, the first of which is in the middle of a long message."""
    loop, long_messages = Loop(), LongMessages()
    first, second = Ends(loop, long_messages), Ends(loop, long_messages)
    send_all(first, PART)
    turn(loop, lambda: len(first.channel._frames._received) == len(PART))
    yield first, second
    for each in (first, second):
        each.channel.close()
        each.other.close()
    loop.close()


def test_a_second_long_message_of_a_cell_is_not_taken_before_the_first_is_whole(
    two: tuple[Ends, Ends],
) -> None:
    first, second = two
    send_all(second, framed(LONG, 0))
    turn(first.loop, lambda: second.channel._is_waiting)
    assert len(second.channel._frames._received) <= 1 << 16
    send_all(first, REST)
    turn(first.loop, lambda: bool(first.heard and second.heard))
    assert first.heard == second.heard == [Message(LONG, ())]


def test_short_messages_are_heard_beside_a_long_one(two: tuple[Ends, Ends]) -> None:
    first, second = two
    second.other.send({"a": 1})
    turn(first.loop, lambda: bool(second.heard))
    assert second.heard == [Message({"a": 1}, ())]


def test_a_line_that_waits_can_still_be_told_something(two: tuple[Ends, Ends]) -> None:
    first, second = two
    send_all(second, framed(LONG, 0))
    turn(first.loop, lambda: second.channel._is_waiting)
    second.channel.send(LONG)
    send_all(first, REST)
    turn(first.loop, lambda: bool(second.heard))
    receiving = threading.Thread(target=lambda: second.heard.append(second.other.receive()))
    receiving.start()
    turn(first.loop, lambda: len(second.heard) == 2)
    assert second.heard[1] == Message(LONG, ())


@pytest.mark.parametrize("ends_it", ["host", "cell"])
def test_a_long_message_that_is_given_up_keeps_no_other_waiting(
    two: tuple[Ends, Ends], ends_it: str
) -> None:
    first, second = two
    send_all(second, framed(LONG, 0))
    turn(first.loop, lambda: second.channel._is_waiting)
    if ends_it == "host":
        first.channel.close()
    else:
        first.other.close()
    turn(first.loop, lambda: bool(second.heard))
    assert second.heard == [Message(LONG, ())]


def test_one_that_is_closed_while_it_waits_is_passed_over(two: tuple[Ends, Ends]) -> None:
    first, second = two
    send_all(second, PART)
    turn(first.loop, lambda: second.channel._is_waiting)
    second.channel.close()
    send_all(first, REST)
    turn(first.loop, lambda: bool(first.heard))
    assert first.heard == [Message(LONG, ())]
