"""One process compiles a capsule while others wait, and a killed one keeps nobody waiting."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from atectl.capsule import single_flight
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.limits import DEFAULT_LIMITS
from atectl.capsule.loading import Capsule, Uncompiled, find
from atectl.capsule.single_flight import TURNS, turn
from atectl.engine.metered import Engine
from tests.support.loading import load
from tests.support.program import ATECTL
from tests.support.waiting import wait_until

KEY, OTHER = f"{'5' * 64}-0123abcd", f"{'6' * 64}-0123abcd"

_HOLDS = """
import os, sys, time
from atectl.capsule.single_flight import turn
with turn(os.open(sys.argv[1], os.O_RDONLY), sys.argv[2], time.monotonic() + 60):
    print("has it", flush=True)
    time.sleep(600)
"""


def holder(folder: Path, key: str) -> "subprocess.Popen[bytes]":
    """A process that has a turn until it is killed."""
    words = [sys.executable, "-c", _HOLDS, str(folder), key]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    with process:
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> int:
    return os.open(tmp_path, os.O_RDONLY)


def test_a_turn_is_waited_for_until_its_holder_is_killed(tmp_path: Path, folder: int) -> None:
    process, has_it = holder(tmp_path, KEY), threading.Event()

    def wait() -> None:
        with turn(folder, KEY, time.monotonic() + 60):
            has_it.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not has_it.wait(0.2)
    end(process)
    thread.join(30)
    assert has_it.is_set()


def test_turns_of_other_capsules_are_had_at_once(tmp_path: Path, folder: int) -> None:
    process = holder(tmp_path, KEY)
    with turn(folder, OTHER, time.monotonic() + 600):
        pass
    end(process)


def test_who_has_waited_long_enough_goes_on_alone(tmp_path: Path, folder: int) -> None:
    process = holder(tmp_path, KEY)
    with turn(folder, KEY, time.monotonic() + 0.1):
        assert process.poll() is None
    end(process)


def test_a_turn_is_given_back_and_leaves_an_empty_file(tmp_path: Path, folder: int) -> None:
    for _ in range(3):
        with turn(folder, KEY, time.monotonic() + 600):
            pass
    assert [each.name for each in tmp_path.iterdir()] == [TURNS]
    assert (tmp_path / TURNS).stat().st_size == 0


def test_where_the_system_has_no_such_locks_nobody_waits(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holder(tmp_path, KEY)
    monkeypatch.delattr(single_flight.fcntl, "F_OFD_SETLK")
    with turn(folder, KEY, time.monotonic() + 600):
        pass
    end(process)


def test_what_another_process_has_kept_meanwhile_is_not_compiled(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "some.wat"
    path.write_text('(module (func (export "_start")))')
    with ArtifactCache.open(tmp_path / "cache") as cache:
        found = find(engine, path, cache, DEFAULT_LIMITS)
        assert isinstance(found, Uncompiled)
        load(engine, path, cache)  # as another process would, after this one had looked
        with found, Compiler(engine) as compiler:
            capsule = found.compile(compiler)
    assert isinstance(capsule, Capsule)
    assert capsule.was_cached


def test_four_cold_runs_at_once_compile_once(tmp_path: Path) -> None:
    functions = "".join(
        f"(func (param i32) (result i32) {'(i32.add (local.get 0) ' * 200}"
        f"(i32.const {n}){')' * 200})"
        for n in range(300)
    )
    path = tmp_path / "large.wat"
    path.write_text(f'(module {functions} (func (export "_start")))')
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    reports = [tmp_path / f"{number}.json" for number in range(4)]
    words = [ATECTL, "run", "--ledger", "none", "--report"]
    running = [
        subprocess.Popen([*words, str(report), str(path)], env=environment) for report in reports
    ]
    assert [process.wait(120) for process in running] == [0] * 4
    wait_until(lambda: all(report.exists() for report in reports))
    cached = sorted('"cached": true' in report.read_text() for report in reports)
    assert cached == [False, True, True, True]
