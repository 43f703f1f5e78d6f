"""Messages between a host and its cells: what arrives is what was sent, and nothing else passes."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.batch.cells.wire import Gone, Malformed, Wire, items, number, text, whole
from tests.support.descriptors import open_descriptors, opened_since

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A wire, and the bare socket at its other end."""
    ours, its = socket.socketpair()
    with its:
        end = Wire(ours)
        yield end, its
        end.close()


@given(content=st.dictionaries(st.text(), JSON))
def test_what_is_received_is_what_was_sent(content: dict[str, object]) -> None:
    ours, its = socket.socketpair()
    here, there = Wire(ours), Wire(its)
    here.send(content)
    assert there.receive().content == content
    here.close()
    there.close()


def test_descriptors_arrive_with_their_message() -> None:
    ours, its = socket.socketpair()
    here, there = Wire(ours), Wire(its)
    reading, writing = os.pipe()
    here.send({"first": 1}, (writing,))
    os.close(writing)
    first = there.receive()
    here.send({"second": 2})
    second = there.receive()
    (descriptor,) = first.descriptors
    os.write(descriptor, b"x")
    assert (os.read(reading, 9), second.descriptors) == (b"x", ())
    for each in (reading, descriptor):
        os.close(each)
    here.close()
    there.close()


def test_descriptors_arrive_with_their_own_message_though_others_came_just_before() -> None:
    ours, its = socket.socketpair()
    here, there = Wire(ours), Wire(its)
    reading, writing = os.pipe()
    here.send({"first": 1})
    here.send({"second": 2}, (writing, writing))
    here.send({"third": 3}, (writing,))
    os.close(writing)
    received = [there.receive() for _ in range(3)]
    assert [len(each.descriptors) for each in received] == [0, 2, 1]
    for each in (reading, *(each for message in received for each in message.descriptors)):
        os.close(each)
    here.close()
    there.close()


def test_descriptors_that_nobody_was_told_of_are_not_kept(
    ends: tuple[Wire, socket.socket],
) -> None:
    end, other = ends
    before = open_descriptors()
    for _ in range(9):
        socket.send_fds(other, [b"\0\0\0\2\0{}"], [0])
    for _ in range(8):
        assert end.receive().descriptors == ()
    with pytest.raises(Malformed):
        end.receive()
    end.close()
    assert opened_since(before) == []


def test_messages_that_arrive_together_are_told_apart(
    ends: tuple[Wire, socket.socket],
) -> None:
    end, other = ends
    other.sendall(b'\0\0\0\7\0{"a":1}\0\0\0\7\0{"a":2}\0\0')
    assert [end.receive().content for _ in range(2)] == [{"a": 1}, {"a": 2}]


def test_a_message_that_is_larger_than_the_buffers_of_the_system_arrives_whole() -> None:
    ours, its = socket.socketpair()
    here, there = Wire(ours), Wire(its)
    content = {"long": "x" * (4 << 20)}
    sender = threading.Thread(target=here.send, args=(content,))
    sender.start()
    assert there.receive().content == content
    sender.join()
    here.close()
    there.close()


def test_a_message_that_is_too_large_is_not_sent_and_not_taken() -> None:
    ours, its = socket.socketpair()
    here, there = Wire(ours, most_sent_bytes=100), Wire(its, most_received_bytes=50)
    with pytest.raises(Malformed):
        here.send({"long": "x" * 100})
    here.send({"long": "x" * 20})
    assert there.receive().content == {"long": "x" * 20}
    here.send({"long": "x" * 60})
    with pytest.raises(Malformed):
        there.receive()
    here.close()
    there.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\0",  # larger than any message
        b"\0\0\0\3\0abc",
        b"\0\0\0\2\0[]",
        b"\0\0\0\4\0null",
        (200_000).to_bytes(4, "big") + b"\0" + b"[" * 200_000,
        b"\0\0\0\2\0\xff\xfe",
        b"\0\0\0\2\1{}",  # without the descriptor that it says goes with it
    ],
)
def test_what_is_no_message_is_malformed(ends: tuple[Wire, socket.socket], data: bytes) -> None:
    end, other = ends
    sender = threading.Thread(target=other.sendall, args=(data,))
    sender.start()
    with pytest.raises(Malformed):
        end.receive()
    sender.join()


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\x09\0{"])
def test_an_end_within_a_message_is_an_end(ends: tuple[Wire, socket.socket], data: bytes) -> None:
    end, other = ends
    other.sendall(data)
    other.shutdown(socket.SHUT_WR)
    with pytest.raises(Gone):
        end.receive()


def test_who_waits_too_long_gives_up(ends: tuple[Wire, socket.socket]) -> None:
    ends[0].wait_at_most(0.01)
    with pytest.raises(Gone):
        ends[0].receive()


def test_nobody_receives_what_is_sent_to_one_that_is_gone(
    ends: tuple[Wire, socket.socket],
) -> None:
    end, other = ends
    other.close()
    with pytest.raises(Gone):
        end.send({"a": 1})


def test_one_that_another_thread_closes_is_gone(ends: tuple[Wire, socket.socket]) -> None:
    end, _ = ends
    end.close()
    for use in (lambda: end.send_now({"a": 1}), end.receive_now, end.receive):
        with pytest.raises(Gone):
            use()


@given(value=JSON)
def test_a_value_is_what_it_is_read_as_or_malformed(value: object) -> None:
    for read in (lambda v: number(v, 100), lambda v: whole(v, 100), text, items):
        try:
            read(value)
        except Malformed:
            continue
        assert type(value) in (int, float, str, list)


@pytest.mark.parametrize("value", [True, -1, 101, 1e300, float("nan"), float("inf"), "1", None])
def test_a_number_beyond_its_bounds_is_malformed(value: object) -> None:
    with pytest.raises(Malformed):
        number(value, 100)


def test_a_whole_number_is_no_fraction() -> None:
    assert whole(7, 7) == 7
    with pytest.raises(Malformed):
        whole(7.0, 7)
