"""A loop calls what is due, on one thread."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from atectl.batch.loop import Loop
from tests.support.waiting import wait_until


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, its = socket.socketpair()
    with ours, its:
        yield ours, its


def test_what_can_be_read_is_called_back_until_it_was_read(
    loop: Loop, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, its = ends
    calls: list[bytes] = []
    loop.watch(ours.fileno(), lambda: calls.append(ours.recv(1)))
    its.send(b"abc")
    loop.run(lambda: len(calls) < 3)
    assert calls == [b"a", b"b", b"c"]


def test_what_is_unwatched_is_not_called_back_any_more(
    loop: Loop, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, its = ends
    both = [os.dup(ours.fileno()), ours.fileno()]
    called: list[int] = []

    def call(which: int) -> None:
        called.append(which)
        for each in both:
            loop.unwatch(each)

    for each in both:
        loop.watch(each, lambda each=each: call(each))  # type: ignore[misc]
    its.send(b"x")
    loop.run(lambda: not called)
    loop.post(lambda: called.append(-1))
    loop.run(lambda: -1 not in called)
    os.close(both[0])
    assert len(called) == 2


def test_whoever_can_write_again_is_called_back(
    loop: Loop, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = ends
    calls: list[int] = []
    loop.watch(ours.fileno(), lambda: calls.append(1))
    loop.watch_writing(ours.fileno(), too=True)
    loop.run(lambda: not calls)
    loop.watch_writing(ours.fileno(), too=False)
    before = len(calls)
    loop.call_at(time.monotonic() + 0.02, lambda: calls.append(2))
    loop.run(lambda: 2 not in calls)
    assert calls[before:] == [2]


def test_another_thread_wakes_it(loop: Loop) -> None:
    calls: list[int] = []
    thread = threading.Thread(target=loop.run, args=(lambda: len(calls) < 200,), daemon=True)
    thread.start()
    for number in range(200):
        loop.post(lambda number=number: calls.append(number))  # type: ignore[misc]
    wait_until(lambda: not thread.is_alive())
    assert calls == list(range(200))


def test_calls_come_when_their_time_has_come_in_its_order(loop: Loop) -> None:
    now_s = time.monotonic()
    calls: list[str] = []
    loop.call_at(now_s + 0.03, lambda: calls.append("later"))
    loop.call_at(now_s + 0.01, lambda: calls.append("sooner"))
    loop.run(lambda: len(calls) < 2)
    assert calls == ["sooner", "later"]
    assert time.monotonic() >= now_s + 0.03


def test_what_is_always_due_keeps_nobody_else_waiting(
    loop: Loop, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, its = ends
    heard: list[bytes] = []

    def again() -> None:
        loop.call_at(0.0, again)
        loop.post(lambda: None)

    again()
    loop.watch(ours.fileno(), lambda: heard.append(ours.recv(1)))
    its.send(b"x")
    loop.run(lambda: not heard)
    assert heard == [b"x"]


def test_closing_it_is_idempotent(loop: Loop) -> None:
    loop.close()
    loop.close()
