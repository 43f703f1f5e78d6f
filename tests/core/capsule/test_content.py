"""The content of a capsule's file: read once, and again when the file has changed."""

import hashlib
import time
from pathlib import Path

import pytest

from atectl.capsule.content import Contents
from atectl.capsule.errors import CapsuleTooLarge
from atectl.capsule.source import Source
from atectl.errors import CapsuleNotFound


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as unchanged for long enough."""
    monkeypatch.setattr("atectl.capsule.content.SETTLED_NS", -time.time_ns())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read to be hashed."""
    read: list[Path] = []
    hash_it = Source.hash

    def counted(source: Source) -> str:
        read.append(source.path)
        return hash_it(source)

    monkeypatch.setattr(Source, "hash", counted)
    return read


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_it_is_the_hash_and_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wasm"
    path.write_text("one")
    assert Contents(100).at(path) == (path, sha256("one"), 3)


def test_a_file_that_stays_as_it_is_is_read_once(
    tmp_path: Path, settled: None, reads: list[Path]
) -> None:
    path = tmp_path / "a.wasm"
    path.write_text("one")
    contents = Contents(100)
    assert contents.at(path) == contents.at(path)
    assert reads == [path]


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, settled: None) -> None:
    path = tmp_path / "a.wasm"
    path.write_text("one")
    contents = Contents(100)
    contents.at(path)
    other = tmp_path / "other"
    other.write_text("two")
    other.replace(path)
    assert contents.at(path).sha256 == sha256("two")


def test_a_file_that_changed_a_moment_ago_is_not_believed_to_stay(
    tmp_path: Path, reads: list[Path]
) -> None:
    path = tmp_path / "a.wasm"
    path.write_text("one")
    contents = Contents(100)
    contents.at(path)
    contents.at(path)
    assert reads == [path, path]


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wasm"
    with pytest.raises(CapsuleNotFound):
        Contents(100).at(path)
    path.write_bytes(b"x" * 101)
    with pytest.raises(CapsuleTooLarge):
        Contents(100).at(path)
