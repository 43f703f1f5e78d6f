"""Lines of a stream, whatever state it is in."""

import os
import threading
from collections.abc import Iterator

import pytest

from atectl.system.lines import lines_of


@pytest.fixture(params=[True, False], ids=["blocking", "non-blocking"])
def pipe(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, request.param)
    yield reader, writer
    os.close(reader)


def test_each_line_comes_as_it_is_written(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = lines_of(reader)
    for line in (b"one\n", b"\n", b"two\n"):
        os.write(writer, line)
        assert next(lines) == line
    os.close(writer)
    assert list(lines) == []


def test_what_has_no_data_yet_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(lines_of(reader)))
    thread.start()
    for piece in (b"be", b"gun\nan", b"d rest"):
        os.write(writer, piece)
    os.close(writer)
    thread.join()
    assert found == [b"begun\n", b"and rest"]


@pytest.mark.parametrize("size", [9, 10, 11, 100_000, 1_000_000])
def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(
    pipe: tuple[int, int], size: int
) -> None:
    reader, writer = pipe

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(b"x" * size + b"\nnext\n")

    thread = threading.Thread(target=write)
    thread.start()
    line, after = lines_of(reader, max_bytes=10)
    thread.join()
    assert line.rstrip(b"\n") == b"x" * min(size, 11)
    assert len(line) == min(size + 1, 11)
    assert after == b"next\n"


def test_a_line_without_an_end_is_passed_on_as_soon_as_it_is_too_long() -> None:
    reader = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert next(lines_of(reader, max_bytes=10)) == bytes(11)
    finally:
        os.close(reader)
