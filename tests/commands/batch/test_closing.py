"""The line that closes a batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atectl.commands.batch.closing import closing_line, closing_lines
from atectl.commands.batch.tally import Tally

MIB = 1 << 20


@pytest.mark.parametrize(
    ("spills", "words"),
    [(1, "1 spill of 40 MiB,"), (2, "2 spills of 40 MiB together,")],
)
def test_spills_are_counted_in_singular_and_plural(spills: int, words: str) -> None:
    tally = Tally(0)
    tally.spills, tally.spilled_bytes = spills, 40 * MIB
    assert words in closing_line(tally, 1.0)


def cut_short(left: int = 3) -> Tally:
    tally = Tally(left)
    tally.is_stopping = True
    return tally


def test_a_batch_that_was_cut_short_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("my results.jsonl").open("wb") as results, stdout_to(results.fileno()):
        told = closing_lines("jobs.jsonl", cut_short(), 1.0, tells_why=True)
    assert told[-1] == (
        "to go on: `atectl batch jobs.jsonl --resume-from 'my results.jsonl' >> 'my results.jsonl'`"
    )


def test_where_results_go_to_no_file_it_says_that_they_should() -> None:
    reader, writer = os.pipe()
    with stdout_to(writer):
        told = closing_lines("-", cut_short(), 1.0, tells_why=True)
    os.close(reader)
    os.close(writer)
    assert "--resume-from results.jsonl" in told[-1]


def test_a_batch_that_came_to_its_end_says_no_more_than_that() -> None:
    assert len(closing_lines("-", Tally(0), 1.0, tells_why=True)) == 1
    assert len(closing_lines("-", cut_short(left=0), 1.0, tells_why=True)) == 1


@contextmanager
def stdout_to(descriptor: int) -> Iterator[None]:
    saved = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
