"""Whether a process still runs, told from another that was given its number."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.system import processes
from atectl.system.processes import is_gone, own_identity, process_identity

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        yield process
        process.kill()


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and leave it unreaped."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def test_this_process_is_not_gone() -> None:
    assert own_identity()
    assert own_identity() == process_identity(os.getpid())
    assert not is_gone(os.getpid(), own_identity())


def test_processes_have_identities_of_their_own(child: subprocess.Popen[bytes]) -> None:
    identity = process_identity(child.pid)
    assert identity
    assert identity != own_identity()
    assert process_identity(child.pid) == identity
    assert not is_gone(child.pid, identity)


def test_a_killed_process_is_gone_before_it_is_reaped(child: subprocess.Popen[bytes]) -> None:
    identity = process_identity(child.pid)
    assert identity
    end(child)
    assert process_identity(child.pid) is None
    assert is_gone(child.pid, identity)


def test_a_reaped_process_is_gone(child: subprocess.Popen[bytes]) -> None:
    identity = process_identity(child.pid)
    assert identity
    child.kill()
    child.wait()
    assert process_identity(child.pid) is None
    assert is_gone(child.pid, identity)


def test_a_number_given_to_another_process_does_not_deceive() -> None:
    boot, namespace, start = own_identity().split(":")
    assert is_gone(os.getpid(), f"{boot}:{namespace}:{int(start) - 1}")


def test_a_process_from_before_the_last_boot_is_gone() -> None:
    _, rest = own_identity().split(":", 1)
    assert is_gone(os.getpid(), f"00000000-0000-0000-0000-000000000000:{rest}")


def test_a_process_of_another_container_is_not_judged() -> None:
    boot, namespace, start = own_identity().split(":")
    assert not is_gone(os.getpid(), f"{boot}:{int(namespace) + 1}:{start}")
    assert not is_gone(2**22 + 1, f"{boot}:{int(namespace) + 1}:{start}")


@pytest.mark.parametrize("identity", ["", "boot", "boot:namespace"])
def test_a_process_without_a_whole_identity_is_not_judged(identity: str) -> None:
    assert not is_gone(2**22 + 1, identity)


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**80])
def test_a_number_no_process_has_is_gone(pid: int) -> None:
    assert process_identity(pid) is None
    assert is_gone(pid, own_identity())


def test_a_system_that_does_not_tell_leaves_everything_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    identity = own_identity()

    def somewhere_else(path: str) -> Path:
        return tmp_path / path.lstrip("/")

    monkeypatch.setattr(processes, "Path", somewhere_else)
    assert process_identity(os.getpid()) is None
    assert not is_gone(os.getpid(), identity)


def test_a_system_out_of_files_leaves_everything_open(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = own_identity()

    def no_file_left(pid: int) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(processes, "_start_ticks", no_file_left)
    assert process_identity(os.getpid()) is None
    assert not is_gone(os.getpid(), identity)


def test_a_name_with_parentheses_and_spaces_is_no_obstacle(tmp_path: Path) -> None:
    program = tmp_path / "a ) Z 1 (b"
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = process_identity(child.pid)
        assert identity
        assert not is_gone(child.pid, identity)
        child.kill()
