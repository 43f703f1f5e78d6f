"""The outputs of leases in a cell: the end of each is kept, and told its host."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from atectl.batch.cells.outputs import (
    NO_OUTPUT,
    TAIL_BYTES,
    Captured,
    LineOutputs,
    Output,
    OutputPipe,
    kept_of,
    read_output,
    told_output,
)
from atectl.batch.cells.wire import Malformed
from atectl.engine.wasi import OpenStream
from tests.core.batch.cells.test_wire import JSON


@pytest.fixture
def pipe() -> Iterator[OutputPipe]:
    with closing(OutputPipe(4)) as pipe:
        yield pipe


@pytest.fixture
def outputs() -> Iterator[LineOutputs]:
    """Those of a line that is not the first of its cell, which captures."""
    with closing(LineOutputs(100, is_first=False)) as outputs:
        yield outputs


def write(outputs: LineOutputs, name: str, data: bytes) -> None:
    [writer] = [each.descriptor for each in outputs.beside(())[0] if each.stream == name]
    os.write(writer, data)


def test_the_end_is_kept_and_all_is_counted(pipe: OutputPipe) -> None:
    for data in (b"abc", b"defgh", b"ij"):
        os.write(pipe.writer, data)
        pipe.take_piece()
    assert pipe.take() == Captured(b"ghij", 10)


def test_what_one_lease_wrote_is_not_the_next_ones(pipe: OutputPipe) -> None:
    os.write(pipe.writer, b"first")
    pipe.take()
    assert pipe.take() is None
    os.write(pipe.writer, b"2")
    assert pipe.take() == Captured(b"2", 1)


def test_no_more_is_held_than_twice_what_is_kept(pipe: OutputPipe) -> None:
    os.write(pipe.writer, b"x" * 60_000)
    pipe.take_piece()
    assert len(pipe._kept) <= 8


def test_who_writes_without_end_holds_up_nobody(pipe: OutputPipe) -> None:
    empty, _ = ends = os.pipe()
    os.set_blocking(empty, False)
    with Path("/dev/zero").open("rb") as endless:
        os.dup2(endless.fileno(), pipe.reader)
    taker = threading.Thread(target=pipe.take_piece)
    taker.start()
    taker.join(10)
    is_held_up = taker.is_alive()
    os.dup2(empty, pipe.reader)
    taker.join()
    for each in ends:
        os.close(each)
    assert not is_held_up


def test_what_is_told_is_what_is_read(outputs: LineOutputs) -> None:
    write(outputs, "stdout", b"\xff result")
    write(outputs, "stderr", b"fault")
    told = outputs.told(has_failed=False)["output"]
    assert read_output(told, 100) == Output(Captured(b"\xff result", 8), Captured(b"fault", 5))


def test_where_nothing_was_written_nothing_is_told(outputs: LineOutputs) -> None:
    assert outputs.told(has_failed=True) == {}
    assert read_output(None, 100) == NO_OUTPUT


def test_without_capturing_stderr_alone_is_told_and_of_failures_alone() -> None:
    with closing(LineOutputs(None, is_first=False)) as outputs:
        assert [each.stream for each in outputs.beside(())[0]] == ["stderr"]
        write(outputs, "stderr", b"well")
        assert outputs.told(has_failed=False) == {}
        write(outputs, "stderr", b"x" * (TAIL_BYTES + 5))
        told = outputs.told(has_failed=True)["output"]
    assert read_output(told, None).stderr == Captured(b"x" * TAIL_BYTES, TAIL_BYTES + 5)


def test_an_output_that_goes_to_a_file_is_not_taken(outputs: LineOutputs) -> None:
    file = OpenStream("stdout", "out.txt", 99)
    opened, inherited = outputs.beside((file,))
    assert [each.stream for each in opened] == ["stdout", "stderr"]
    assert opened[0] is file
    assert inherited == ()


@pytest.mark.parametrize(
    "told",
    [
        7,
        {"stderr": 7},
        {"stderr": [1]},
        {"stderr": [1, 7]},
        {"stderr": [1, "?"]},
        {"stderr": [-1, ""]},
        {"stderr": [200, "A" * 136]},
    ],
    ids=["number", "no list", "too short", "no text", "no base64", "less than none", "too much"],
)
def test_what_no_cell_says_is_malformed(told: object) -> None:
    with pytest.raises(Malformed):
        read_output(told, 100)


@given(JSON)
def test_anything_is_an_output_or_malformed(told: object) -> None:
    try:
        read_output({"stdout": told}, 100)
    except Malformed:
        return


BOTH = Output(Captured(b"said", 9), Captured(b"moaned", 6))


@pytest.mark.parametrize("output", [NO_OUTPUT, BOTH, Output(None, Captured(b"\xff", 1))])
def test_an_output_is_read_as_it_was_told(output: Output) -> None:
    assert read_output(told_output(output), 100) == output


def test_of_what_was_kept_only_as_much_is_told_as_was_asked_for() -> None:
    expected = Output(Captured(b"id", 9), Captured(b"ed", 6))
    assert kept_of(BOTH, 2, has_failed=False) == expected
    assert kept_of(BOTH, None, has_failed=True) == Output(None, BOTH.stderr)
    assert kept_of(BOTH, None, has_failed=False) == NO_OUTPUT
