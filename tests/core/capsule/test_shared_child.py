"""Small capsules of one principal are compiled by one process, one after another."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.capsule import compiler as compiler_module
from atectl.capsule import zygote
from atectl.capsule.compiler import Compiler
from atectl.capsule.creation import Creation
from atectl.capsule.errors import CompileMemory, CompileTime
from atectl.capsule.limits import CompileLimits
from atectl.capsule.task import SMALL_BYTES, Work
from atectl.capsule.verdict import Verdict
from atectl.engine.metered import Engine
from atectl.errors import MissingImport
from atectl.load.start import Question, Start
from atectl.records.from_json import from_json
from tests.support.bombs import merge_bomb, slow_loops
from tests.support.waiting import SOON_S, wait_until
from tests.support.wasm_bytes import binary_of, custom

MIB = 1 << 20
LIMITS = CompileLimits(memory_bytes=64 * MIB)
BOMB = binary_of(merge_bomb(400, 400))
SLOW = binary_of(slow_loops(3000, 50))
SLOW_BYTES = 512 * MIB
"""More memory than it takes, so that only its time is an obstacle."""


class Done(NamedTuple):
    """What compiling came to, and the process that did it last."""

    verdict: Verdict
    pid: int | None
    artifact: bytes


@pytest.fixture
def compiler(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    # However slow the machine is, the process waits for the next one: that of a fork of this
    # process, and that of a new process, which is started where this one has several threads.
    monkeypatch.setattr(zygote, "IDLE_S", 600.0)
    waits = "from atectl.capsule import zygote; zygote.IDLE_S = 600.0; zygote.main()"
    monkeypatch.setattr(compiler_module, "_STARTS", waits)
    with Compiler(engine, LIMITS) as compiler:
        compiler.prepare()
        yield compiler


def module(number: int) -> bytes:
    return binary_of(f'(module (func (export "f") (result i32) (i32.const {number})))')


def compile_(
    compiler: Compiler, folder: Path, content: bytes, sharing: str = "alice", **more: float
) -> Done:
    path = folder / "some.wasm"
    path.write_bytes(content)
    limits = compiler.limits._replace(**more)  # type: ignore[arg-type]
    with (
        path.open("rb") as file,
        compiler.begin("some.wasm", file.fileno(), limits=limits, sharing=sharing) as begun,
    ):
        verdict = begun.verdict()
        artifact = os.pread(begun.memory, 1 << 20, 0)
        return Done(verdict, begun.pid, artifact)


def is_gone(pid: int | None) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_one_process_compiles_several_as_each_would_be_alone(
    compiler: Compiler, tmp_path: Path
) -> None:
    alone = [compile_(compiler, tmp_path, module(n), sharing="") for n in range(3)]
    together = [compile_(compiler, tmp_path, module(n)) for n in range(3)]
    assert len({done.pid for done in alone}) == 3
    assert len({done.pid for done in together}) == 1
    assert [done.artifact for done in together] == [done.artifact for done in alone]
    assert [done.verdict.made for done in together] == [done.verdict.made for done in alone]


def test_principals_share_no_process(compiler: Compiler, tmp_path: Path) -> None:
    first = compile_(compiler, tmp_path, module(1), sharing="alice")
    second = compile_(compiler, tmp_path, module(2), sharing="bob")
    assert first.pid != second.pid


@pytest.mark.parametrize(
    "content",
    [b"(module)", module(1) + custom("large", bytes(SMALL_BYTES)), binary_of("(component)")],
    ids=["text", "large", "component"],
)
def test_anything_else_than_a_small_module_has_a_process_of_its_own(
    compiler: Compiler, tmp_path: Path, content: bytes
) -> None:
    first = compile_(compiler, tmp_path, module(1))
    assert compile_(compiler, tmp_path, content).pid != first.pid


def test_a_refusal_is_told_and_the_process_goes_on(compiler: Compiler, tmp_path: Path) -> None:
    unmet = binary_of('(module (import "env" "log" (func)))')
    found = [compile_(compiler, tmp_path, each) for each in (module(1), unmet, b"\0asm\1\0\0\0\1")]
    last = compile_(compiler, tmp_path, module(2))
    refusals = [done.verdict.refusal for done in found]
    assert [each and each.code for each in refusals] == [None, MissingImport.code, "E204"]
    assert {done.pid for done in found} == {last.pid}


def test_one_that_goes_over_its_memory_takes_only_itself(
    compiler: Compiler, tmp_path: Path
) -> None:
    alone = compile_(compiler, tmp_path, BOMB, sharing="")
    first = compile_(compiler, tmp_path, module(1))
    bomb = compile_(compiler, tmp_path, BOMB)
    last = compile_(compiler, tmp_path, module(2))
    assert bomb.verdict.refusal == alone.verdict.refusal
    assert bomb.verdict.refusal is not None
    assert bomb.verdict.refusal.code == CompileMemory.code
    assert bomb.pid != first.pid  # it was tried once more, with no other before it
    assert first.verdict.made is not None
    assert last.verdict.made is not None
    # Both attempts are told, and charged.
    assert bomb.verdict.effort.cpu_s > alone.verdict.effort.cpu_s


def test_one_that_goes_over_its_time_takes_only_itself(compiler: Compiler, tmp_path: Path) -> None:
    assert len(SLOW) < SMALL_BYTES
    compile_(compiler, tmp_path, module(1))
    late = compile_(compiler, tmp_path, SLOW, deadline_s=0.5, memory_bytes=SLOW_BYTES)
    assert late.verdict.refusal is not None
    assert late.verdict.refusal.code == CompileTime.code
    assert compile_(compiler, tmp_path, module(2)).verdict.made is not None


def test_other_work_is_shared_by_processes_that_know_it(compiler: Compiler, tmp_path: Path) -> None:
    """One that began before its module was imported can import nothing any more."""

    def read(number: int) -> int | None:
        path = tmp_path / "read.wasm"
        path.write_bytes(module(number))
        work = Work("atectl.load.facts_child")
        with (
            path.open("rb") as file,
            compiler.begin("read.wasm", file.fileno(), work=work, sharing="alice") as begun,
        ):
            assert begun.verdict().refusal is None
            return begun.pid

    first = compile_(compiler, tmp_path, module(1))
    readers = {read(number) for number in range(3)}
    assert len(readers) == 1
    assert first.pid not in readers


def test_artifacts_are_tried_by_the_process_that_compiles(
    compiler: Compiler, tmp_path: Path
) -> None:
    artifact = tmp_path / "artifact"
    artifact.write_bytes(compile_(compiler, tmp_path, module(1), sharing="").artifact)
    asked = Question("module", Creation(), False, least_bytes=1, most_bytes=MIB)
    work = Work("atectl.load.start_child", json.dumps(asked))

    def try_() -> int | None:
        with (
            artifact.open("rb") as file,
            compiler.begin("artifact", file.fileno(), work=work, sharing="alice") as begun,
        ):
            assert begun.verdict().refusal is None
            start: Start = from_json(Start, json.loads(os.pread(begun.memory, 1000, 0)))
            assert (start.min_bytes, start.code) == (1, None)
            return begun.pid

    first = try_()
    assert compile_(compiler, tmp_path, module(2)).pid == first
    assert try_() == first


def test_each_is_told_what_it_took_itself(compiler: Compiler, tmp_path: Path) -> None:
    functions = "(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const 7)))" * 300
    large = compile_(compiler, tmp_path, binary_of(f"(module {functions})"))
    small = compile_(compiler, tmp_path, module(1))
    assert small.pid == large.pid
    assert 0 < small.verdict.effort.cpu_s < large.verdict.effort.cpu_s
    assert small.verdict.effort.peak_bytes > 0


def test_one_whose_process_was_ended_meanwhile_is_compiled_by_another(
    compiler: Compiler, tmp_path: Path
) -> None:
    first = compile_(compiler, tmp_path, module(1))
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    assert compile_(compiler, tmp_path, module(2)).verdict.made is not None


def test_a_process_that_has_nothing_to_do_ends(engine: Engine, tmp_path: Path) -> None:
    with Compiler(engine, LIMITS) as compiler:
        compiler.prepare()
        done = compile_(compiler, tmp_path, module(1))
        wait_until(lambda: is_gone(done.pid))


def test_one_that_is_cut_short_is_not_tried_again(compiler: Compiler, tmp_path: Path) -> None:
    slow = tmp_path / "slow.wasm"
    slow.write_bytes(SLOW)
    first = compile_(compiler, tmp_path, module(1))
    limits = compiler.limits._replace(memory_bytes=SLOW_BYTES)
    with (
        slow.open("rb") as file,
        compiler.begin("slow.wasm", file.fileno(), limits=limits, sharing="alice") as begun,
    ):
        wait_until(lambda: begun.wait(0.01) or begun.pid)
        begun.cut()
        assert begun.wait(SOON_S)
        assert begun.pid == first.pid


def test_such_a_process_can_open_nothing_and_has_the_files_of_one_capsule(
    compiler: Compiler, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.wasm"
    slow.write_bytes(SLOW)
    compile_(compiler, tmp_path, module(1))
    limits = compiler.limits._replace(memory_bytes=SLOW_BYTES)
    with (
        slow.open("rb") as file,
        compiler.begin("slow.wasm", file.fileno(), limits=limits, sharing="alice") as begun,
    ):
        wait_until(lambda: begun.wait(0.01) or most_files(begun.pid) == ["8", "8"])
        names = files_of(begun.pid)
    assert {"slow.wasm", "statm", "clear_refs"} <= set(names)
    assert "some.wasm" not in names
    assert len(names) == 8


def most_files(pid: int | None) -> list[str]:
    """The soft and the hard limit on the files that a process may open."""
    try:
        bounds = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return []
    [files] = [line for line in bounds.splitlines() if line.startswith("Max open files")]
    return files.split()[3:5]


def files_of(pid: int | None) -> list[str]:
    """The names of the files that a process has open."""
    try:
        return [each.readlink().name for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []
