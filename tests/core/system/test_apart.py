"""Work in a process of its own: it answers, or it is ended, and it never outlives who asked."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from atectl.system.apart import Apart, ApartFailed
from tests.support.processes import is_alive
from tests.support.waiting import wait_until

ASKING = """
import sys
from atectl.system.apart import Apart
sys.path.insert(0, {folder!r})
Apart("patient").ask(None)
"""


SLEEPING = """import os, time
with open({place!r} + ".new", "w") as file: file.write(str(os.getpid()))
os.rename({place!r} + ".new", {place!r})
time.sleep(600)"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules the started processes can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, body: str) -> Apart:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / f"{name}.py").write_text(f"def main():\n{lines}")
    return Apart(name)


def test_a_question_is_answered_by_another_process(folder: Path) -> None:
    told = write(
        folder,
        "echo",
        "import json, os, sys\njson.dump([os.getpid(), json.load(sys.stdin)], sys.stdout)",
    ).ask({"n": 1})
    assert told[0] != os.getpid()
    assert told[1] == {"n": 1}


def test_a_process_that_fails_says_why(folder: Path) -> None:
    with pytest.raises(ApartFailed, match=r"it ended with 1: ValueError: no such luck"):
        write(folder, "fails", "raise ValueError('no such luck')").ask(None)


def test_a_process_that_is_killed_says_by_what(folder: Path) -> None:
    with pytest.raises(ApartFailed, match="it was ended by SIGKILL"):
        write(folder, "dies", "import os\nos.kill(os.getpid(), 9)").ask(None)


def test_a_process_that_takes_too_long_is_ended(folder: Path) -> None:
    place = folder / "pid"
    slow = write(folder, "slow", SLEEPING.format(place=str(place)))
    with pytest.raises(ApartFailed, match="it took over 5 s"):
        slow.ask(None, timeout_s=5)
    assert not is_alive(int(place.read_text()))


def test_a_question_that_is_cut_off_ends_at_once(folder: Path) -> None:
    place = folder / "pid"
    slow = write(folder, "endless", SLEEPING.format(place=str(place)))
    threading.Thread(target=lambda: (_until_written(place), slow.cut_off())).start()
    with pytest.raises(ApartFailed, match="SIGKILL"):
        slow.ask(None)
    with pytest.raises(ApartFailed, match="cut off"):
        slow.ask(None)


def test_a_process_ends_with_who_asked(folder: Path) -> None:
    place = folder / "pid"
    waits = f"from atectl.system.apart import end_with_parent\nend_with_parent()\n{SLEEPING}"
    write(folder, "patient", waits.format(place=str(place)))
    asking = subprocess.Popen([sys.executable, "-c", ASKING.format(folder=str(folder))])
    pid = int(_until_written(place))
    assert is_alive(pid)
    asking.kill()
    asking.wait()
    wait_until(lambda: not is_alive(pid))


def _until_written(place: Path) -> str:
    wait_until(place.exists)
    return place.read_text()
