"""Which files a thread can still open behind the wall of folders."""

import json
from pathlib import Path

import pytest

from atectl.system.walls import folders
from tests.support.walled import result_of

DENIED = "Permission denied"

pytestmark = pytest.mark.skipif(folders._version() < 2, reason="no Landlock that can be used")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("used", "read", "other"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    return tmp_path


def behind(place: Path, *attempts: str) -> list[str]:
    """What comes of each attempt on a thread that keeps to `used`, and to reading `read`."""
    listed = ", ".join(f"tried(lambda: {attempt})" for attempt in attempts)
    program = f"""
place = {json.dumps(str(place))}
process.gain_no_privileges()
def walled():
    wall = folders.keep_to([(place + "/used", False), (place + "/read", True)])
    assert wall.held, wall
    return [{listed}]
result = on_thread(walled)"""
    found: list[str] = result_of(program)
    return found


def test_what_was_granted_can_be_used_in_full(place: Path) -> None:
    found = behind(
        place,
        "open(place + '/used/new', 'w').write('x')",
        "os.truncate(place + '/used/file', 0)",
        "os.rename(place + '/used/file', place + '/used/sub/moved')",
        "os.link(place + '/used/sub/moved', place + '/used/linked')",
        "os.symlink('x', place + '/used/symbolic')",
        "os.mkdir(place + '/used/folder')",
        "os.rmdir(place + '/used/folder')",
        "os.remove(place + '/used/linked')",
        "os.listdir(place + '/used')",
    )
    assert found == ["done"] * 9


def test_what_may_be_read_cannot_be_changed(place: Path) -> None:
    found = behind(
        place,
        "open(place + '/read/file').read()",
        "os.listdir(place + '/read')",
        "open(place + '/read/file', 'a')",
        "open(place + '/read/new', 'w')",
        "os.remove(place + '/read/file')",
        "os.mkdir(place + '/read/folder')",
    )
    assert found == ["done", "done", DENIED, DENIED, DENIED, DENIED]


def test_nothing_else_can_be_opened(place: Path) -> None:
    found = behind(
        place,
        "open(place + '/other/file').read()",
        "os.listdir(place + '/other')",
        "open(place + '/other/file', 'w')",
        "open('/etc/passwd').read()",
        "open(place + '/used/../other/file').read()",
    )
    assert found == [DENIED] * 5


def test_a_link_leads_nowhere_else(place: Path) -> None:
    (place / "used" / "out").symlink_to(place / "other" / "file")
    assert behind(place, "open(place + '/used/out').read()") == [DENIED]


def test_no_device_socket_or_pipe_is_made_even_where_files_may_be(place: Path) -> None:
    found = behind(
        place,
        "os.mkfifo(place + '/used/pipe')",
        "os.mknod(place + '/used/device', 0o20600, os.makedev(1, 3))",
        "socket.socket(socket.AF_UNIX).bind(place + '/used/socket')",
    )
    assert set(found) <= {DENIED, "Operation not permitted"}


def test_modules_can_still_be_imported(place: Path) -> None:
    assert behind(place, "__import__('atectl.engine.traps')", "__import__('wave')") == ["done"] * 2


def test_other_threads_are_not_held_by_it(place: Path) -> None:
    program = f"""
process.gain_no_privileges()
on_thread(lambda: folders.keep_to([]))
result = tried(lambda: open({str(place / "other" / "file")!r}).read())"""
    assert result_of(program) == "done"


def test_threads_that_it_starts_are(place: Path) -> None:
    program = f"""
process.gain_no_privileges()
def walled():
    folders.keep_to([])
    return on_thread(lambda: tried(lambda: open({str(place / "other" / "file")!r})))
result = on_thread(walled)"""
    assert result_of(program) == DENIED


@pytest.mark.parametrize(
    ("version", "why"), [(-1, "has no Landlock"), (0, "has no Landlock"), (1, "cannot allow files")]
)
def test_a_system_that_cannot_says_why(
    monkeypatch: pytest.MonkeyPatch, version: int, why: str
) -> None:
    monkeypatch.setattr(folders, "_version", lambda: version)
    wall = folders.keep_to([])
    assert not wall.held
    assert why in wall.detail


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6, 7])
def test_it_asks_an_older_version_only_for_what_that_knows(place: Path, version: int) -> None:
    program = f"""
process.gain_no_privileges()
if folders._version() >= {version}:
    folders._version = lambda: {version}
def walled():
    wall = folders.keep_to([({str(place / "used")!r}, False)])
    return [wall.held, tried(lambda: open({str(place / "other" / "file")!r}))]
result = on_thread(walled)"""
    assert result_of(program) == [True, DENIED]


def test_a_folder_that_is_gone_is_told(place: Path) -> None:
    program = f"""
process.gain_no_privileges()
result = on_thread(lambda: folders.keep_to([({str(place / "gone")!r}, False)]))"""
    assert result_of(program)[1:] == [
        False,
        "a folder cannot be allowed: No such file or directory",
    ]
