"""Capsules are compiled by other processes, which have limits and end when they are to."""

import base64
import errno
import gzip
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atectl.capsule.compilation import Compilation, Taken
from atectl.capsule.compiler import Compiler
from atectl.capsule.errors import (
    CompileMemory,
    CompileTime,
    DecodingOverBound,
    HostExhausted,
    TooManyInstances,
    Undecodable,
)
from atectl.capsule.limits import CompileLimits
from atectl.capsule.task import Work
from atectl.capsule.verdict import OutgrewGrant, Verdict
from atectl.engine.metered import Engine
from atectl.errors import CompilerGone, DeadlinePassed, InvalidCapsule, MissingImport
from atectl.system.errors import PythonNotStarted
from tests.conftest import CAPSULES
from tests.support.bombs import (
    doubling_component,
    invalid_at_its_end,
    merge_bomb,
    slow_loops,
    with_import,
)
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.real_capsules import CPYTHON
from tests.support.waiting import wait_until

MIB = 1 << 20
LIMITS = CompileLimits(memory_bytes=512 * MIB)


@pytest.fixture
def compiler(engine: Engine) -> Iterator[Compiler]:
    with Compiler(engine, LIMITS) as compiler:
        compiler.prepare()
        yield compiler


def begin(compiler: Compiler, path: Path, cache: int | None = None, **more: Any) -> Compilation:
    capsule = os.open(path, os.O_RDONLY)
    try:
        return compiler.begin(path.name, capsule, cache, **more)
    finally:
        os.close(capsule)


def taken(compilation: Compilation) -> Taken | None:
    compilation.wait(0.01)  # it is by waiting that one hears which process it is
    return compilation.taken()


def verdict_on(compiler: Compiler, path: Path, until: float | None = None) -> Verdict:
    with begin(compiler, path) as compilation:
        return compilation.verdict(until)


def write(folder: Path, text: str) -> Path:
    path = folder / "some.wat"
    path.write_text(text)
    return path


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return write(tmp_path, slow_loops(6000, 50))


def test_a_capsule_is_made_into_an_artifact_with_what_that_took(compiler: Compiler) -> None:
    verdict = verdict_on(compiler, CAPSULES / "hello.wat")
    assert verdict.made is not None
    assert (verdict.made.kind, verdict.made.creates.tables) == ("module", 0)
    assert verdict.effort.wall_s > 0
    assert verdict.effort.cpu_s > 0
    assert MIB < verdict.effort.peak_bytes < 40 * MIB


def test_several_are_compiled_at_once(compiler: Compiler) -> None:
    begun = [begin(compiler, CAPSULES / "hello.wat") for _ in range(10)]
    assert all(compilation.verdict().made for compilation in begun)
    for compilation in begun:
        compilation.close()


def test_an_artifact_goes_into_memory_where_its_file_cannot_be_written(
    compiler: Compiler, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    read_only = os.open(tmp_path / "file", os.O_RDONLY)
    with begin(compiler, CAPSULES / "hello.wat", read_only) as compilation:
        verdict = compilation.verdict()
        assert os.fstat(compilation.memory).st_size > 1000
    os.close(read_only)
    assert verdict.unkept == "Bad file descriptor"


def test_nothing_is_left_open(compiler: Compiler, tmp_path: Path) -> None:
    verdict_on(compiler, CAPSULES / "hello.wat")
    before = open_descriptors()
    verdict_on(compiler, CAPSULES / "hello.wat")
    verdict_on(compiler, write(tmp_path, "(module (func (result i32)))"))
    assert opened_since(before) == []


# Over a limit


def test_more_memory_than_compiling_may_take_is_a_verdict(engine: Engine, tmp_path: Path) -> None:
    bomb = write(tmp_path, merge_bomb(400, 400))
    with Compiler(engine, CompileLimits(memory_bytes=48 * MIB)) as compiler:
        verdict = verdict_on(compiler, bomb)
    assert verdict.refusal is not None
    error = verdict.refusal.error(bomb.name)
    assert isinstance(error, CompileMemory)
    assert str(error) == "some.wat takes more than 48MiB of memory to compile"
    assert (error.exit_status, verdict.refusal.is_certain) == (126, True)
    assert verdict.effort.peak_bytes < 60 * MIB


@pytest.mark.parametrize(
    ("beginning", "filler"),
    [(b"\0asm\1\0\0\0", b"\0"), (b"(", b" ")],
    ids=["binary", "text"],
)
def test_a_file_that_does_not_fit_is_over_the_limit_too(
    engine: Engine, tmp_path: Path, beginning: bytes, filler: bytes
) -> None:
    path = tmp_path / "large"
    path.write_bytes(beginning + filler * 64 * MIB)
    with Compiler(engine, CompileLimits(memory_bytes=32 * MIB)) as compiler:
        verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    assert verdict.refusal.code == CompileMemory.code


def test_more_time_than_compiling_may_take_is_a_verdict(engine: Engine, slow: Path) -> None:
    with Compiler(engine, LIMITS._replace(deadline_s=0.5)) as compiler:
        began = time.monotonic()
        verdict = verdict_on(compiler, slow)
        took_s = time.monotonic() - began
    assert verdict.refusal is not None
    error = verdict.refusal.error(slow.name)
    assert isinstance(error, CompileTime)
    assert str(error) == "some.wat takes longer than 0.50s to compile"
    assert 0.5 <= took_s < 10


def test_more_time_of_the_cores_than_that_is_a_verdict_whoever_looks_at_the_clock(
    compiler: Compiler, slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel does where this process is held up itself."""
    monkeypatch.setattr("atectl.capsule.compiler.compile_threads", lambda: 0)
    verdict = verdict_on(compiler, slow)
    assert verdict.refusal is not None
    assert (verdict.refusal.code, verdict.refusal.is_certain) == (CompileTime.code, False)
    assert 0.5 < verdict.effort.cpu_s < 3


def test_a_deadline_of_who_waits_is_no_verdict_on_the_capsule(
    compiler: Compiler, slow: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlinePassed, match="still being compiled"):
        verdict_on(compiler, slow, until=began + 0.3)
    assert time.monotonic() - began < 10


# Ended


def pid_of(compilation: Compilation) -> int:
    """The process that compiles, once it does."""
    wait_until(lambda: compilation.wait(0.01) or compilation.pid)
    assert compilation.pid is not None
    return compilation.pid


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_one_that_is_cut_short_ends_at_once(compiler: Compiler, slow: Path) -> None:
    with begin(compiler, slow) as compilation:
        pid = pid_of(compilation)
        threading.Timer(0.1, compilation.cut).start()
        with pytest.raises(CompilerGone):
            compilation.verdict()
    assert not is_running(pid)


def test_one_that_is_given_up_ends(compiler: Compiler, slow: Path) -> None:
    with begin(compiler, slow) as compilation:
        pid = pid_of(compilation)
    wait_until(lambda: not is_running(pid))


def test_closing_the_compiler_ends_what_it_compiles_and_begins_nothing_more(
    engine: Engine, slow: Path
) -> None:
    compiler = Compiler(engine, LIMITS)
    with begin(compiler, slow) as compilation:
        pid = pid_of(compilation)
        threading.Timer(0.1, compiler.close).start()
        with pytest.raises(CompilerGone):
            compilation.verdict()
    wait_until(lambda: not is_running(pid))
    with pytest.raises(CompilerGone, match="the host is ending"):
        begin(compiler, slow)


def test_one_that_the_system_kills_is_nobodys_verdict(compiler: Compiler, slow: Path) -> None:
    with begin(compiler, slow) as compilation:
        os.kill(pid_of(compilation), signal.SIGKILL)
        with pytest.raises(CompilerGone, match="SIGKILL") as caught:
            compilation.verdict()
    assert caught.value.exit_status == 125


def test_an_engine_that_breaks_down_is_not_taken_for_a_lack_of_memory(
    compiler: Compiler, slow: Path
) -> None:
    with begin(compiler, slow) as compilation:
        os.kill(pid_of(compilation), signal.SIGABRT)
        with pytest.raises(CompilerGone, match=r"some.wat: the engine broke down .*SIGABRT"):
            compilation.verdict()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_leaves_it_to_who_waits(
    compiler: Compiler, slow: Path, number: signal.Signals
) -> None:
    with begin(compiler, slow) as compilation:
        os.kill(pid_of(compilation), number)
        assert not compilation.wait(0.3)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_it_ends_with_the_process_that_forked_it_and_another_takes_its_place(
    compiler: Compiler, slow: Path
) -> None:
    with begin(compiler, slow) as compilation:
        pid = pid_of(compilation)
        zygote = parent_of(pid)
        assert zygote != os.getpid()
        os.kill(zygote, signal.SIGKILL)
        with pytest.raises(CompilerGone):
            compilation.verdict()
    wait_until(lambda: not is_running(pid))
    assert verdict_on(compiler, CAPSULES / "hello.wat").made is not None


# What it has


def test_it_has_only_the_descriptors_it_was_given_and_can_open_no_more(
    compiler: Compiler, slow: Path
) -> None:
    with begin(compiler, slow) as compilation:
        proc = Path("/proc", str(pid_of(compilation)))
        wait_until(lambda: limit_of(proc, "Max open files") == "5")
        there = {int(each.name): str(each.readlink()) for each in (proc / "fd").iterdir()}
    assert sorted(there) == [0, 1, 2, 3, 4]
    assert there[0] == str(slow)
    assert there[1] == there[2]
    assert there[1].startswith("pipe:")
    assert there[3] == there[4] == "/memfd:capsule (deleted)"


def limit_of(proc: Path, name: str) -> str:
    """The soft limit of this name of a process."""
    [line] = (line for line in (proc / "limits").read_text().splitlines() if line.startswith(name))
    return line.removeprefix(name).split()[0]


def test_the_kernel_holds_it_to_its_limits(compiler: Compiler, slow: Path) -> None:
    with begin(compiler, slow) as compilation:
        proc = Path("/proc", str(pid_of(compilation)))
        wait_until(lambda: limit_of(proc, "Max data size") != "unlimited")
        assert 512 * MIB < int(limit_of(proc, "Max data size")) < 1024 * MIB
        assert limit_of(proc, "Max core file size") == "0"
        assert limit_of(proc, "Max file size") == str(512 * MIB)
        cores = min(len(os.sched_getaffinity(0)), 8)
        assert limit_of(proc, "Max cpu time") == str(60 * cores + 1)
        assert "NoNewPrivs:\t1" in (proc / "status").read_text()


def test_guests_go_before_it_where_that_is_asked_for(engine: Engine, slow: Path) -> None:
    with Compiler(engine, LIMITS, niceness=5) as compiler, begin(compiler, slow) as compilation:
        pid = pid_of(compilation)
        wait_until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == os.nice(0) + 5)


# The host's own want


def test_a_python_that_may_not_be_executed_is_told_of_as_that(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    beside = threading.Thread(target=done.wait)  # so that no process can be forked
    beside.start()
    monkeypatch.setattr(sys, "executable", os.devnull)
    try:
        with Compiler(engine, LIMITS) as compiler, pytest.raises(PythonNotStarted):
            begin(compiler, CAPSULES / "hello.wat")
    finally:
        done.set()
        beside.join()


def test_too_many_open_files_are_the_hosts_fault(compiler: Compiler, tmp_path: Path) -> None:
    verdict_on(compiler, CAPSULES / "hello.wat")
    capsule = os.open(CAPSULES / "hello.wat", os.O_RDONLY)
    held = []
    try:
        while True:
            held.append(os.dup(capsule))
    except OSError:
        with pytest.raises(HostExhausted, match="too many open files") as caught:
            compiler.begin("some.wat", capsule)
    finally:
        for descriptor in (capsule, *held):
            os.close(descriptor)
    assert caught.value.exit_status == 125
    assert verdict_on(compiler, CAPSULES / "hello.wat").made is not None


# In the order of cost


def test_an_import_that_nobody_provides_is_not_compiled_for(
    compiler: Compiler, tmp_path: Path
) -> None:
    path = tmp_path / "some.wasm"
    path.write_bytes(with_import(CPYTHON.read_bytes(), "env", "nobody"))
    verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    error = verdict.refusal.error(path.name)
    assert isinstance(error, MissingImport)
    assert str(error).startswith("some.wasm imports env::nobody, a function")
    assert verdict.effort.cpu_s < 1.5


def test_a_module_that_is_invalid_only_at_its_end_is_not_compiled(
    compiler: Compiler, tmp_path: Path
) -> None:
    path = tmp_path / "some.wasm"
    path.write_bytes(invalid_at_its_end(CPYTHON.read_bytes()))
    verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    assert verdict.refusal.code == InvalidCapsule.code
    assert verdict.effort.cpu_s < 1.5


@pytest.mark.parametrize("levels", [14, 22, 41])
def test_a_component_that_doubles_at_each_level_is_refused_before_it_is_laid_out(
    compiler: Compiler, tmp_path: Path, levels: int
) -> None:
    path = write(tmp_path, doubling_component(levels))
    verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    error = verdict.refusal.error(path.name)
    assert isinstance(error, TooManyInstances)
    assert verdict.effort.peak_bytes < 60 * MIB


def test_a_component_that_doubles_a_few_times_is_compiled(
    compiler: Compiler, tmp_path: Path
) -> None:
    assert verdict_on(compiler, write(tmp_path, doubling_component(12))).made is not None


# As it arrives


@pytest.mark.parametrize("encode", [gzip.compress, bytes.hex, base64.b64encode])
def test_a_capsule_may_be_encoded(
    compiler: Compiler, tmp_path: Path, encode: Callable[[bytes], bytes | str]
) -> None:
    encoded = encode((CAPSULES / "hello.wat").read_bytes())
    path = tmp_path / "some.file"
    path.write_bytes(encoded.encode() if isinstance(encoded, str) else encoded)
    verdict = verdict_on(compiler, path)
    assert verdict.made is not None
    assert verdict.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_damaged_encoding_is_a_verdict_on_the_file(compiler: Compiler, tmp_path: Path) -> None:
    path = tmp_path / "some.gz"
    path.write_bytes(gzip.compress((CAPSULES / "hello.wat").read_bytes())[:-10])
    verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    assert isinstance(verdict.refusal.error(path.name), Undecodable)
    assert verdict.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bomb_of_zeros_is_refused_within_the_limits(compiler: Compiler, tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(300 * MIB), 1))
    verdict = verdict_on(compiler, path)
    assert verdict.refusal is not None
    assert isinstance(verdict.refusal.error(path.name), DecodingOverBound)
    assert verdict.effort.peak_bytes < 60 * MIB


# As it runs


def test_what_needs_more_than_it_was_granted_so_far_is_no_verdict(
    compiler: Compiler, tmp_path: Path
) -> None:
    bomb = write(tmp_path, merge_bomb(400, 400))
    with begin(compiler, bomb, granted_bytes=16 * MIB) as compilation, pytest.raises(OutgrewGrant):
        compilation.verdict()


def test_it_may_be_granted_more_while_it_runs(compiler: Compiler, tmp_path: Path) -> None:
    bomb = write(tmp_path, merge_bomb(300, 300))
    with begin(compiler, bomb, granted_bytes=16 * MIB) as compilation:
        wait_until(lambda: taken(compilation))
        before = taken(compilation)
        compilation.grant(400 * MIB)
        after = taken(compilation)
        assert before is not None
        assert after is not None
        assert after.left_bytes - before.left_bytes > 350 * MIB
        assert compilation.verdict().made is not None
        assert compilation.granted_bytes == 416 * MIB


@pytest.fixture
def reserving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zygote that is started, and not forked, finds the work of these tests too."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


def mib_had(compiler: Compiler, path: Path, kind: str, granted_bytes: int) -> int:
    """How many MiB a process gets that asks for 80."""
    limits = CompileLimits(memory_bytes=granted_bytes)
    work = Work("tests.support.reserving", f"{kind} 80")
    with begin(compiler, path, limits=limits, work=work) as compilation:
        compilation.verdict()
        return int(os.pread(compilation.memory, 10, 0))


@pytest.mark.usefixtures("reserving")
def test_memory_that_is_reserved_and_not_touched_is_not_taken_off_what_was_granted(
    compiler: Compiler, tmp_path: Path
) -> None:
    path = write(tmp_path, "(module)")
    assert mib_had(compiler, path, "untouched", 64 * MIB) == 80
    # At a look, its latest piece may be reserved and not touched yet.
    assert mib_had(compiler, path, "touched", 64 * MIB) <= 66


@pytest.mark.usefixtures("reserving")
def test_of_all_that_compiling_may_take_untouched_memory_is_a_part(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path, "(module)")
    with Compiler(engine, CompileLimits(memory_bytes=64 * MIB)) as compiler:
        assert mib_had(compiler, path, "untouched", 64 * MIB) <= 64


def test_what_it_takes_is_seen_while_it_runs(compiler: Compiler, slow: Path) -> None:
    def own_bytes() -> int:
        found = taken(compilation)
        return 0 if found is None else found.own_bytes

    with begin(compiler, slow) as compilation:
        wait_until(lambda: own_bytes() > 20 * MIB)
        compilation.cut()
        compilation.wait(60)
        assert compilation.taken() is None


def test_its_limits_may_be_others_than_those_of_its_compiler(
    compiler: Compiler, tmp_path: Path
) -> None:
    bomb = write(tmp_path, merge_bomb(400, 400))
    with begin(compiler, bomb, limits=CompileLimits(memory_bytes=48 * MIB)) as compilation:
        refusal = compilation.verdict().refusal
    assert refusal is not None
    assert refusal.limit == 48 * MIB


def test_the_process_that_waits_has_some_memory_of_its_own(compiler: Compiler) -> None:
    verdict_on(compiler, CAPSULES / "hello.wat")
    assert 0 < compiler.private_bytes() < 100 * MIB


class HalfHeard:
    """A worker whose end was being heard when Ctrl-C came: its pipe is closed already."""

    pid = None
    parent = os.getpid()

    def __init__(self) -> None:
        self.pipe, writer = os.pipe()
        os.close(writer)

    def hear(self) -> bytes | None:
        os.close(self.pipe)
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def cut(self) -> None: ...


def test_one_whose_end_was_half_heard_can_be_closed() -> None:
    memory = os.memfd_create("capsule")
    Compilation("x.wasm", CompileLimits(), 1 << 20, HalfHeard(), memory).close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(memory)
