"""Many capsules at once: what is held meanwhile, how it is ended, and how it goes on."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.load.inputs import Item, items
from atectl.load.plan import Plan
from atectl.load.results import LoadedCapsule
from atectl.load.run import LoadRun
from atectl.system.memory import resident_bytes
from tests.support.bombs import slow_loops
from tests.support.python_child import in_child
from tests.support.wasm_bytes import binary_of, custom

MIB = 1 << 20


@pytest.fixture
def run() -> Iterator[LoadRun]:
    with LoadRun(Plan()) as run:
        yield run


def modules(folder: Path, count: int) -> list[Item]:
    """Small modules, each of its own content."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.wat").write_text(f"(module (memory {number + 1}))")
    return list(items([folder], recursive=True))


def test_the_rows_stand_in_the_order_of_the_input(run: LoadRun, tmp_path: Path) -> None:
    given = modules(tmp_path, 20)
    told: list[str] = []
    report = run.load(given, told=lambda item, _: told.append(item.name)).report
    assert [row.path for row in report.capsules] == [item.name for item in given]
    assert sorted(told) == sorted(item.name for item in given)
    assert (report.bad, report.wall_s > 0) == (0, True)


def test_what_else_is_wrong_with_a_capsule_makes_it_bad(run: LoadRun, tmp_path: Path) -> None:
    def judge(row: LoadedCapsule) -> LoadedCapsule:
        return row._replace(verdict="unfit") if row.path.endswith("1.wat") else row

    assert run.load(modules(tmp_path, 3), judge).report.bad == 1


def test_what_is_ended_tells_of_what_was_done_and_of_nothing_else(
    run: LoadRun, tmp_path: Path
) -> None:
    given = modules(tmp_path, 3)
    slow = tmp_path / "slow.wat"
    slow.write_text(slow_loops(6000, 50))
    given.append(Item(slow, 1))
    left = threading.Semaphore(0)

    def stop_at_the_last() -> None:
        for _ in range(3):
            left.acquire()
        run.stop()

    threading.Thread(target=stop_at_the_last).start()
    report = run.load(given, told=lambda *_: left.release()).report
    assert [row.verdict for row in report.capsules] == ["ok"] * 3


def test_where_there_is_no_cache_one_is_made_for_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with LoadRun(Plan()) as run:
        [row] = run.load(modules(tmp_path / "capsules", 1)).report.capsules
        assert (row.verdict, row.is_tried) == ("ok", True)
        assert [each.code for each in run.warnings] == ["E601"]


# What is held


def large_module(megabytes: int) -> bytes:
    return binary_of("(module)") + custom("large", os.urandom(megabytes * MIB))


def test_this_process_holds_nothing_of_what_it_loads(tmp_path: Path) -> None:
    """40 MiB of digits, and 20 MiB behind them, twice."""
    for number in range(2):
        (tmp_path / f"{number}.hex").write_text(large_module(20).hex())
    before = resident_bytes()
    assert before is not None  # which other tests in this process may have made large
    with LoadRun(Plan(limit_bytes=before + (1 << 30))) as run:
        report = run.load(list(items([tmp_path], recursive=True))).report
    assert [row.verdict for row in report.capsules] == ["ok"] * 2
    assert report.host_peak_bytes is not None
    assert report.host_peak_bytes < before + 15 * MIB


def test_what_was_encoded_and_decoded_is_given_up_before_the_artifact_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "large.hex"
    path.write_text(large_module(48).hex())
    answer = in_child(_TELLS_WHAT_IS_HELD.format(path=str(path)))
    began_with, held = map(int, answer.split())
    assert held - began_with < 24 * MIB


_TELLS_WHAT_IS_HELD = """
import os
from pathlib import Path
from atectl.capsule import compile_child
from atectl.capsule.compiler import Compiler
from atectl.capsule.records import decode
from atectl.engine.metered import Engine

write = compile_child._write_all

def tell_and_write(descriptor, content):
    statm = Path("/proc/self/statm").read_bytes()
    compile_child.tell({{"held": str(compile_child.sizes(statm)[0])}})
    write(descriptor, content)

compile_child._write_all = tell_and_write
compile_child.close_the_door = lambda: None  # its size is read from a file
with Compiler(Engine()) as compiler, open({path!r}, "rb") as file:
    with compiler.begin("large.hex", file.fileno()) as begun:
        begun.verdict()
        told = decode(begun._reply)
print(told["began_with"], told["held"])
"""


# How it goes on


def test_what_was_done_is_not_done_again_after_a_run_that_was_killed(tmp_path: Path) -> None:
    given = modules(tmp_path / "capsules", 3)
    pid = os.fork()
    if pid == 0:
        # Killed as soon as the first two are done.
        with LoadRun(Plan(concurrency=1)) as run:
            done: list[Item] = []

            def told(item: Item, _: LoadedCapsule) -> None:
                done.append(item)
                if len(done) == 2:
                    os.kill(os.getpid(), 9)

            run.load(given, told=told)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 9
    with LoadRun(Plan()) as run:
        report = run.load(given).report
    assert [row.cached for row in report.capsules][:2] == [True, True]
    assert [row.verdict for row in report.capsules] == ["ok"] * 3
