"""Which files a thread can still open behind the wall of folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from atectl.system.walls import folders
from atectl.system.walls.wall import Wall
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


APART = """
process.gain_no_privileges()
other = subprocess.Popen(["sleep", "1000"])
def apart():
    wall = folders.stay_apart()
    return [wall.held, *on_thread(lambda: ATTEMPTS)]
result = on_thread(apart)
other.kill()
other.wait()
"""


def apart(*attempts: str) -> list[str | bool]:
    """What comes of each attempt behind the wall of other processes; `other` is one."""
    listed = ", ".join(f"tried(lambda: {attempt})" for attempt in attempts)
    found: list[str | bool] = result_of(APART.replace("ATTEMPTS", f"[{listed}]"))
    return found


def test_a_thread_apart_reaches_into_no_other_process() -> None:
    found = apart(
        "open(f'/proc/{other.pid}/mem', 'r+b')",
        "os.open(f'/proc/{other.pid}/exe', os.O_RDONLY)",
        "open('/proc/self/mem', 'r+b')",
    )
    assert found == [True, DENIED, DENIED, "done"]


def test_a_thread_apart_signals_no_other_process() -> None:
    if folders._version() < folders._WITH_SCOPES:
        pytest.skip("this version of Landlock knows no signals")
    assert apart("other.kill()", "os.kill(os.getpid(), 0)") == [
        True, "Operation not permitted", "done",
    ]  # fmt: skip


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6, 7])
def test_a_thread_apart_uses_all_files_as_before(place: Path, version: int) -> None:
    at = str(place)
    attempts = ", ".join(
        f"tried(lambda: {each})"
        for each in (
            f"os.rename({at!r} + '/used/file', {at!r} + '/other/moved')",
            f"os.link({at!r} + '/other/moved', {at!r} + '/used/sub/linked')",
            f"open({at!r} + '/new', 'w').write('x')",
            "open('/etc/passwd').read()",
        )
    )
    program = f"""
process.gain_no_privileges()
if folders._version() >= {version}:
    folders._version = lambda: {version}
def walled():
    return [folders.stay_apart().held, {attempts}]
result = on_thread(walled)"""
    assert result_of(program) == [True, *["done"] * 4]


def test_of_threads_apart_each_can_still_be_kept_to_folders(place: Path) -> None:
    program = f"""
process.gain_no_privileges()
used = {str(place / "used")!r}
def walled():
    folders.stay_apart()
    held = folders.keep_to([(used, False)]).held
    moves = tried(lambda: os.rename(used + '/file', used + '/sub/file'))
    return [held, moves, tried(lambda: open({str(place / "other" / "file")!r}))]
result = on_thread(walled)"""
    assert result_of(program) == [True, "done", DENIED]


@pytest.mark.parametrize("put_up", [lambda: folders.keep_to([]), folders.stay_apart])
@pytest.mark.parametrize(
    ("version", "why"), [(-1, "has no Landlock"), (0, "has no Landlock"), (1, "cannot allow files")]
)
def test_a_system_that_cannot_says_why(
    monkeypatch: pytest.MonkeyPatch, version: int, why: str, put_up: Callable[[], Wall]
) -> None:
    monkeypatch.setattr(folders, "_version", lambda: version)
    wall = put_up()
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


def test_each_place_of_code_is_allowed_once_and_none_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "lib" / "site").mkdir(parents=True)
    (tmp_path / "lib.zip").touch()
    importable = [str(tmp_path / each) for each in ("lib/site", "lib", "gone", "lib.zip")]
    paths = [path for path, _ in folders._code((*importable, ""))]
    assert {path for path in paths if path.startswith(str(tmp_path))} == {
        str(tmp_path / "lib"),
        str(tmp_path / "lib.zip"),
    }
