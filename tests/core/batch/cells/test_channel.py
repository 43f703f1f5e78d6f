"""The host's end of a line never waits, and loses nothing."""

import os
import socket
from collections.abc import Iterator

import pytest

from atectl.batch.cells.channel import Channel
from atectl.batch.cells.wire import Gone, Message, Wire
from atectl.batch.loop import Loop


class Ends:
    """A channel, and what is at its other end."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        self.heard: list[Message | None] = []
        self.loop = Loop()
        self.channel = Channel(ours, self.loop, self._hear)
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
