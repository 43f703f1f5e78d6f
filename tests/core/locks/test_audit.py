"""Notes of who released what: written whole, read back, merged."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.locks.audit import (
    INTENDED,
    AuditNote,
    append_line,
    merged,
    notes_of,
    own_origin,
    read_lines,
)
from atectl.locks.errors import AuditUnreadable


def note(id_: str = "a", **changes: object) -> AuditNote:
    usual = AuditNote(
        id=id_,
        at=1000.0,
        outcome=INTENDED,
        is_forced=False,
        user="root",
        uid=0,
        sudo_user="",
        host="node-1",
        tty="/dev/pts/0",
        ssh_connection="",
        server="127.0.0.1:6379",
        key="lock:actor:demo:web",
        actor="demo/web",
        token="t",
        ttl_ms=1000,
        verdict="expiring",
        holder=None,
    )
    return usual._replace(**changes)


def line(each: AuditNote, **more: object) -> bytes:
    return json.dumps(each._asdict() | more).encode()


def test_a_line_is_added_to_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    append_line(path, b"one")
    append_line(path, b"two")
    assert read_lines(path) == [b"one", b"two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_line_after_one_that_was_cut_short_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"id": "cut')
    append_line(path, b"whole")
    assert read_lines(path) == [b'{"id": "cut', b"whole"]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        append_line(tmp_path / "audit.jsonl", b"one")
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        append_line(Path("/dev/full"), b"one")


def test_lines_of_many_writers_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write(number: int) -> None:
        for _ in range(20):
            append_line(path, str(number).encode() * 50_000)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    lines = read_lines(path)
    assert len(lines) == 160
    assert all(len(set(each)) == 1 and len(each) == 50_000 for each in lines)


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none") == []


def test_a_file_that_cannot_be_read_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(AuditUnreadable):
        read_lines(tmp_path)


def test_notes_come_back_and_unknown_fields_are_passed_over() -> None:
    assert notes_of([line(note()), line(note("b"), added_later=1)]) == [note(), note("b")]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"id":"a"}',
        line(note(), at="soon"),
        line(note(), at=1e300),
        line(note(), at=float("nan")),
        line(note(), key=None),
        line(note(), uid="root"),
        line(note(), ttl_ms="1"),
    ],
)
def test_what_is_no_note_is_passed_over(bad: bytes) -> None:
    assert notes_of([bad, line(note())]) == [note()]


@given(st.lists(st.binary()))
def test_no_line_raises(lines: list[bytes]) -> None:
    notes_of(lines)


def test_an_attempt_has_its_outcome_and_the_places_that_know_of_it() -> None:
    done = note(outcome="released", at=1001.0)
    later = note("b", at=2000.0)
    attempts = merged({"file": [note(), done], "stream": [done, note(), later]})
    assert [(x.note, x.places) for x in attempts] == [
        (later, ("stream",)),
        (done, ("file", "stream")),
    ]


def test_whoever_asks_is_told_with_the_user_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")
    origin = own_origin()
    assert (origin.uid, origin.sudo_user) == (os.getuid(), "alice")
    assert origin.ssh_connection.startswith("10.0.0.1 ")
    assert origin.host == os.uname().nodename


def test_a_user_without_a_name_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 123_456_789)
    assert (own_origin().user, own_origin().uid) == ("", 123_456_789)
