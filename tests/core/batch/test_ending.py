"""Ending a lease that another process runs: whose it may be, and by which name."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from atectl.batch.control import Control, end_in_batch
from atectl.batch.ending import end_lease
from atectl.batch.loop import Loop
from atectl.ledger_store.errors import LeaseNotEnded, UnknownLease
from atectl.system.processes import process_identity
from tests.support.ledger_records import lease


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no atectl."""
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_lease_of_another_host_is_refused() -> None:
    elsewhere = lease(id="abcdef", host="west", process="another-boot:1:1")
    with pytest.raises(LeaseNotEnded, match="runs on host 'west', not here"):
        end_lease([elsewhere], "abcdef")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may end what is anybody's")
def test_a_lease_of_another_user_is_refused() -> None:
    init = lease(id="abcdef", pid=1, process=process_identity(1))
    with pytest.raises(LeaseNotEnded, match="another user"):
        end_lease([init], "abcdef")


def test_a_process_that_takes_no_messages_and_is_no_run_is_left_alone(
    other: "subprocess.Popen[bytes]",
) -> None:
    identity = process_identity(other.pid)
    with pytest.raises(LeaseNotEnded, match="takes no messages"):
        end_lease([lease(id="abcdef", pid=other.pid, process=identity)], "abcdef")
    assert other.poll() is None


@pytest.mark.parametrize("wanted", ["abc", "", "abcd"], ids=["too short", "empty", "two of them"])
def test_a_beginning_that_is_short_or_of_several_is_no_name(wanted: str) -> None:
    with pytest.raises(UnknownLease):
        end_lease([lease(id="abcd-1"), lease(id="abcd-2")], wanted)


def test_a_batch_answers_whether_it_has_the_lease() -> None:
    loop = Loop()
    asked: list[str] = []

    def ends(wanted: str) -> bool:
        asked.append(wanted)
        return wanted == "mine"

    control = Control(loop, ends)
    is_over = threading.Event()
    thread = threading.Thread(target=loop.run, args=(lambda: not is_over.is_set(),))
    thread.start()
    try:
        assert end_in_batch(os.getpid(), "mine") is True
        assert end_in_batch(os.getpid(), "not mine") is False
    finally:
        is_over.set()
        loop.post(lambda: None)
        thread.join()
        control.close()
        loop.close()
    assert asked == ["mine", "not mine"]


def test_a_process_without_a_batch_hears_nothing() -> None:
    assert end_in_batch(os.getpid(), "any") is None


def test_what_is_no_request_is_not_obeyed() -> None:
    loop, asked = Loop(), []
    control: Any = Control(loop, lambda wanted: bool(asked.append(wanted)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
        stream.bind("")
        stream.sendto(b"stop", f"\0atectl-batch-{os.getpid()}")
    control._hear()
    control.close()
    loop.close()
    assert asked == []
