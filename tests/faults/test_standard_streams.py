"""No state of a standard stream changes a status or loses a result.

Each state of each stream is given to commands that run guests, list and load, with Python's
buffering and without. What could be written is complete, and the status says where it was not.
"""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import CAPSULES
from tests.support.program import ATECTL
from tests.support.redis_servers import Server

JOBS = 80
HELLO = CAPSULES / "hello.wat"
JOB_LINES = b"".join(
    json.dumps({"capsule": str(HELLO), "label": f"{number:04} {'x' * 150}"}).encode() + b"\n"
    for number in range(JOBS)
)

CONTENT = b"what the guest reads " * 1000

BROKEN, UNWRITABLE = 141, 125
STATES = ("closed", "full", "non-blocking", "slow", "broken pipe")
STUCK = "a full pipe that does not block, and that nobody reads"


class Command(NamedTuple):
    """A command line, what it reads, its status, and whether its whole output is there."""

    words: list[str]
    stdin: bytes
    status: int
    is_whole: Callable[[bytes], bool]


def is_json(text: bytes) -> bool:
    return isinstance(json.loads(text), dict)


def has_all_results(text: bytes) -> bool:
    return len([json.loads(line) for line in text.splitlines()]) == JOBS


class Ended(NamedTuple):
    status: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def commands(valkey: Server) -> dict[str, Command]:
    # The ledger has an account to list.
    subprocess.run([ATECTL, "run", str(HELLO)], check=True, capture_output=True)
    redis = ["--redis", valkey.url]
    exits, echo = str(CAPSULES / "exit-status.wat"), str(CAPSULES / "echo.wat")
    adds = ["run", "--invoke", "add", str(CAPSULES / "reactor.wat"), "2", "40"]
    return {
        "run": Command(["run", str(CAPSULES / "trap.wat")], b"", 134, lambda _: True),
        "run, its status": Command(["run", exits], b"", 7, lambda _: True),
        "run, nothing there": Command(["run", "no-such-file"], b"", 127, lambda _: True),
        "run, its input": Command(["run", echo], CONTENT, 0, lambda out: out == CONTENT),
        "run, its result": Command(adds, b"", 0, lambda out: out == b"42\n"),
        "batch": Command(["batch", "-", "--ledger", "none"], JOB_LINES, 0, has_all_results),
        "ledger ls": Command(["ledger", "ls", "-o", "json"], b"", 0, is_json),
        "locks ls": Command(["locks", "ls", "-o", "json", *redis], b"", 0, is_json),
        "load": Command(["load", "-", "-o", "json"], f"{HELLO}\n".encode(), 0, is_json),
    }


def fill(writer: int) -> None:
    """Have a pipe that does not block take no more."""
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass


@contextmanager
def stream(
    number: int, state: str, content: bytes = b""
) -> Iterator[tuple[int | None, list[bytes]]]:
    """A descriptor in that state for the standard stream `number`; what is read of it in the end.

    None is a closed one.
    """
    read: list[bytes] = []
    if state == "closed":
        yield None, read
        return
    if state == "full" and number:
        full = os.open("/dev/full", os.O_WRONLY)
        yield full, read
        os.close(full)
        return
    ours, theirs = socket.socketpair() if state == "non-blocking" else (None, None)
    if ours is not None and theirs is not None:  # as Node makes its pipes
        theirs.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        here, there = ours.detach(), theirs.detach()
    else:
        reader, writer = os.pipe()
        here, there = (reader, writer) if number else (writer, reader)
    if state == STUCK:
        fill(there)
        yield there, read
        os.close(here)
        os.close(there)
        return
    if state == "broken pipe":
        os.close(here)
        yield there, read
        os.close(there)
        return
    work = (lambda: _read_slowly(here, read)) if number else (lambda: _write_slowly(here, content))
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield there, read
    finally:
        os.close(there)
        thread.join()


def _read_slowly(reader: int, read: list[bytes]) -> None:
    turn = threading.Event()
    while piece := os.read(reader, 4096):
        read.append(piece)
        turn.wait(0.002)
    os.close(reader)


def _write_slowly(writer: int, content: bytes) -> None:
    turn = threading.Event()
    for start in range(0, len(content), 7_000):
        os.write(writer, content[start : start + 7_000])
        turn.wait(0.01)
    os.close(writer)


def ended(command: Command, number: int, state: str, *, unbuffered: bool) -> Ended:
    """The command with its stream `number` in that state, and the others as usual."""
    environment = dict(os.environ)
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    with stream(number, state, command.stdin) as (descriptor, read):
        given: dict[int, int] = {0: subprocess.PIPE, 1: subprocess.PIPE, 2: subprocess.PIPE}
        words = [ATECTL, *command.words]
        if descriptor is None:
            given[number] = subprocess.DEVNULL
            words = ["sh", "-c", f'exec "$@" {number}{"<" if number == 0 else ">"}&-', "sh", *words]
        else:
            given[number] = descriptor
        process = subprocess.Popen(
            words, stdin=given[0], stdout=given[1], stderr=given[2], env=environment
        )
        out, err = process.communicate(command.stdin if number else None, timeout=60)
    seen = b"".join(read)
    return Ended(
        process.returncode, seen if number == 1 else out or b"", seen if number == 2 else err or b""
    )


with_and_without_buffer = pytest.mark.parametrize(
    "unbuffered", [False, True], ids=["buffered", "unbuffered"]
)


@with_and_without_buffer
def test_the_state_of_stderr_changes_nothing(
    commands: dict[str, Command], unbuffered: bool
) -> None:
    names = (
        "run",
        "run, its status",
        "run, nothing there",
        "batch",
        "ledger ls",
        "locks ls",
        "load",
    )
    for state, name in product((*STATES, STUCK), names):
        command = commands[name]
        found = ended(command, 2, state, unbuffered=unbuffered)
        assert (state, name, found.status) == (state, name, command.status)
        assert command.is_whole(found.stdout), (state, name)
        assert b"Traceback" not in found.stderr, (state, name)


@with_and_without_buffer
def test_stdout_has_everything_or_the_status_says_why_not(
    commands: dict[str, Command], unbuffered: bool
) -> None:
    names = ("run, its result", "batch", "ledger ls", "locks ls", "load")
    for state, name in product(STATES, names):
        command = commands[name]
        found = ended(command, 1, state, unbuffered=unbuffered)
        status = {"full": UNWRITABLE, "broken pipe": BROKEN}.get(state, command.status)
        assert (state, name, found.status) == (state, name, status)
        assert b"Traceback" not in found.stderr, (state, name)
        if state == "full":
            assert b"E605" in found.stderr, (state, name)
            assert name != "batch" or b"0 done" in found.stderr  # none was told
        elif state in ("slow", "non-blocking"):
            assert command.is_whole(found.stdout), (state, name)


@with_and_without_buffer
def test_stdin_is_read_to_its_end(commands: dict[str, Command], unbuffered: bool) -> None:
    names = ("run, its input", "batch", "ledger ls", "locks ls", "load")
    for state, name in product(STATES, names):
        command = commands[name]
        found = ended(command, 0, state, unbuffered=unbuffered)
        assert b"Traceback" not in found.stderr, (state, name)
        if state in ("closed", "broken pipe") and command.stdin:  # there is nothing to read
            assert (name, found.status) in (("run, its input", 0), ("batch", 0), ("load", 2))
            assert name != "batch" or b"0 done" in found.stderr
        else:
            assert (state, name, found.status) == (state, name, command.status)
            assert command.is_whole(found.stdout), (state, name)


def test_results_come_whole_through_a_pipe_that_does_not_block(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    words = [ATECTL, "batch", "-", "--ledger", "none"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=writer) as process:
        assert not os.get_blocking(writer)
        assert process.stdin is not None
        process.stdin.write(JOB_LINES)
        process.stdin.close()
        assert not os.get_blocking(writer), "it is shared with the program that made it"
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert has_all_results(file.read())
    assert process.returncode == 0


def test_a_line_that_is_too_long_is_one_failed_result() -> None:
    lines = b'{"capsule": "' + b"x" * 5_000_000 + b'"}\n' + JOB_LINES.splitlines(True)[0]
    finished = subprocess.run(
        [ATECTL, "batch", "-", "--ledger", "none"], input=lines, capture_output=True, check=False
    )
    told = sorted(map(json.loads, finished.stdout.splitlines()), key=lambda each: each["job"])
    assert [each["exit_status"] for each in told] == [2, 0]
    assert "line 1: it is longer than 4MiB" in told[0]["error"]["message"]


LOUD = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local $error i32) (local $left i32)
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 10000))
    (local.set $left (i32.const 60))
    (loop $more
      (local.set $error (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (i32.and (i32.eqz (local.get $error)) (i32.ne (local.get $left) (i32.const 0)))))
    (call $exit (i32.add (i32.const 3) (local.get $error)))))"""


@pytest.mark.parametrize("options", [[], ["--max-output", "1MiB"]])
@pytest.mark.parametrize("state", ["non-blocking", STUCK])
def test_a_guest_ends_as_ever_whatever_its_stderr_is(
    tmp_path: Path, state: str, options: list[str]
) -> None:
    (tmp_path / "loud.wat").write_text(LOUD)
    # Only the first of its sixty writes waits for a second.
    options = ["--deadline", "40s", *options]
    words = ["run", "--ledger", "none", *options, str(tmp_path / "loud.wat")]
    found = ended(Command(words, b"", 3, bool), 2, state, unbuffered=False)
    assert found.status == 3
    assert state == STUCK or len(found.stderr) == 600_000
