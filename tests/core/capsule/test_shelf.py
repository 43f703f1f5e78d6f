"""A host's capsules: what is at a path now, compiled once for all who ask at the same time."""

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from wasmtime import wat2wasm

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.compiles import Ask
from atectl.arbitration.policies import rules
from atectl.capsule import shelf as capsule_shelf
from atectl.capsule.cache import SETTLED_NS, ArtifactCache
from atectl.capsule.compilation import Compilation
from atectl.capsule.compiler import Compiler
from atectl.capsule.errors import HostExhausted, ManifestMismatch, NoRoomToCompile
from atectl.capsule.limits import CompileLimits
from atectl.capsule.loading import Capsule
from atectl.capsule.shelf import MAX_CAPSULES, CapsuleShelf
from atectl.capsule.source import Source
from atectl.engine.metered import Engine
from atectl.errors import (
    AtectlError,
    CapsuleNotFound,
    CompilerGone,
    DeadlinePassed,
    InternalError,
    NoEntryPoint,
    NotWebAssembly,
    TruncatedCapsule,
)
from tests.conftest import CAPSULES
from tests.support.bombs import merge_bomb, slow_loops
from tests.support.loading import compile_room, exports_of
from tests.support.waiting import wait_until

MIB = 1 << 20
HELLO = CAPSULES / "hello.wat"
ONE, TWO = '(module (func (export "one")))', '(module (func (export "two")))'


class CountingCompiler(Compiler):
    """A compiler that counts what it begins."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, CompileLimits(memory_bytes=1 << 29))
        self.begun = 0
        self.prepare()

    def begin(self, *words: Any, **more: Any) -> Compilation:
        self.begun += 1
        return super().begin(*words, **more)


class Shelf(CapsuleShelf):
    """A shelf that one principal alone asks."""

    def get(
        self,
        path: Path,
        principal: str = "some",
        until: float | None = None,
        *,
        as_command: bool = False,
    ) -> Capsule:
        return super().get(path, principal, until, as_command=as_command)


@pytest.fixture
def compiler(engine: Engine) -> Iterator[CountingCompiler]:
    with CountingCompiler(engine) as compiler:
        yield compiler


@pytest.fixture(params=[True, False], ids=["cached", "uncached"])
def shelf(
    request: pytest.FixtureRequest, engine: Engine, compiler: CountingCompiler, tmp_path: Path
) -> Iterator[Shelf]:
    if not request.param:
        yield Shelf(engine, None, compiler, compile_room())
        return
    with ArtifactCache.open(tmp_path / "cache") as cache:
        yield Shelf(engine, cache, compiler, compile_room())


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file lain unchanged for long."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 2 * SETTLED_NS)


def at_once(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# One for all


def test_all_who_ask_at_the_same_time_share_one_compilation(
    shelf: Shelf, compiler: CountingCompiler
) -> None:
    found: list[Capsule] = []
    at_once(8, lambda: found.append(shelf.get(HELLO)))
    assert len(found) == 8
    assert all(capsule.artifact is found[0].artifact for capsule in found)
    assert compiler.begun == 1


def test_one_of_them_alone_is_told_what_it_took_and_the_others_that_it_was_compiled_before(
    shelf: Shelf,
) -> None:
    found: list[Capsule] = []
    at_once(4, lambda: found.append(shelf.get(HELLO)))
    found.append(shelf.get(HELLO))
    [fresh] = [capsule for capsule in found if not capsule.was_cached]
    assert fresh.compile_s > 0
    assert fresh.compile_cpu_s > 0
    assert fresh.compile_peak_bytes > 0
    for each in found:
        if each is not fresh:
            assert each == fresh.as_known()
            assert (each.compile_s, each.compile_cpu_s, each.compile_peak_bytes) == (0, 0, 0)


def test_who_first_asked_for_what_is_refused_is_told_what_it_took(
    shelf: Shelf, tmp_path: Path
) -> None:
    noise = write(tmp_path / "noise.wasm", "\x89PNG")
    errors = []
    for _ in range(2):
        with pytest.raises(NotWebAssembly) as told:
            shelf.get(noise)
        errors.append(told.value)
    first, second = errors
    assert first.compile_cpu_s > 0
    assert first.sha256 == hashlib.sha256(noise.read_bytes()).hexdigest()
    assert second.compile_cpu_s == 0


def test_the_same_content_elsewhere_is_compiled_once(
    shelf: Shelf, compiler: CountingCompiler, tmp_path: Path
) -> None:
    one, other = (shelf.get(write(tmp_path / name, ONE)) for name in ("one.wat", "other.wat"))
    assert (one.name, other.name) == ("one.wat", "other.wat")
    assert one.artifact is other.artifact
    assert compiler.begun == 1


def manifest(folder: Path, package: str, file: str, blake3: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "Capsule.toml"
    announced = "" if blake3 is None else f'hash = "{blake3}"'
    path.write_text(
        f'[package]\nname = "{package}"\nversion = "1"\n[[component]]\nfile = "{file}"\n{announced}'
    )
    return path


def test_the_same_content_is_called_as_its_own_manifest_calls_it(
    shelf: Shelf, tmp_path: Path
) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.wat").write_text(ONE)
    manifest(tmp_path / "a", "first", "one.wat")
    manifest(tmp_path / "c", "third", "one.wat")
    titles = [shelf.get(tmp_path / folder / "one.wat").title for folder in ("a", "b", "c", "b")]
    assert titles == ["one.wat (first 1)", "one.wat", "one.wat (third 1)", "one.wat"]


def test_a_manifest_in_place_of_a_capsule_gives_it_the_name_of_its_file(
    shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "one.wat").write_text(ONE)
    path = manifest(tmp_path, "first", "one.wat")
    assert [shelf.get(path).title for _ in range(2)] == 2 * ["one.wat (first 1)"]


def test_a_file_that_is_replaced_is_held_to_its_manifest(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "one.wat"
    path.write_text(ONE)
    manifest(tmp_path, "first", "one.wat", blake3(ONE.encode()).hexdigest())
    assert shelf.get(path).package == "first"
    path.write_text(TWO)
    with pytest.raises(ManifestMismatch):
        shelf.get(path)


def test_a_manifest_that_comes_or_changes_is_seen_though_the_file_stays(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.wat"
    path.write_text(ONE)
    settle(monkeypatch)
    assert shelf.get(path).package is None
    manifest(tmp_path, "first", "one.wat")
    assert shelf.get(path).package == "first"
    manifest(tmp_path, "second", "one.wat", "0" * 64)
    with pytest.raises(ManifestMismatch):
        shelf.get(path)
    (tmp_path / "Capsule.toml").unlink()
    assert shelf.get(path).package is None


def test_an_unchanged_file_is_not_opened_again(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    path = write(tmp_path / "some.wat", ONE)
    first = shelf.get(path)

    def refuse(*_: object) -> Source:
        raise AssertionError("it was opened")

    monkeypatch.setattr(Source, "open", refuse)
    assert shelf.get(path).artifact is first.artifact


def test_a_file_that_changed_a_moment_ago_is_read_again(
    engine: Engine, shelf: Shelf, tmp_path: Path
) -> None:
    """Its next change might come within the same tick of the clock for files."""
    path = write(tmp_path / "some.wat", ONE)
    status = path.stat()
    assert exports_of(engine, shelf.get(path)) == ["one"]
    path.write_text(TWO)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert exports_of(engine, shelf.get(path)) == ["two"]


# What is there now


def test_a_file_that_is_replaced_is_judged_anew(
    engine: Engine, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    path = write(tmp_path / "some.wat", ONE)
    assert exports_of(engine, shelf.get(path)) == ["one"]
    write(tmp_path / "new", TWO).replace(path)
    assert exports_of(engine, shelf.get(path)) == ["two"]


def test_a_file_that_comes_later_is_found(engine: Engine, shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "some.wat"
    with pytest.raises(CapsuleNotFound):
        shelf.get(path)
    write(path, ONE)
    assert exports_of(engine, shelf.get(path)) == ["one"]


def test_a_half_written_file_is_judged_anew_once_it_is_whole(
    engine: Engine, shelf: Shelf, tmp_path: Path
) -> None:
    path, whole = tmp_path / "some.wasm", bytes(wat2wasm(ONE))
    path.write_bytes(whole[:20])
    with pytest.raises(TruncatedCapsule):
        shelf.get(path)
    path.write_bytes(whole)
    assert exports_of(engine, shelf.get(path)) == ["one"]


def test_a_file_that_is_gone_is_not_found_though_it_was(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    path = write(tmp_path / "some.wat", ONE)
    shelf.get(path)
    path.unlink()
    with pytest.raises(CapsuleNotFound):
        shelf.get(path)


def test_a_path_whose_file_is_replaced_again_and_again_keeps_only_the_last(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    path = tmp_path / "some.wat"
    for number in range(5):
        write(tmp_path / "new", f'(module (func (export "{number}")))').replace(path)
        shelf.get(path)
    assert len(shelf._known) == len(shelf._seen) == 1


# Refusals and faults


def test_a_refusal_is_told_to_each_who_asks_by_an_error_of_their_own(
    shelf: Shelf, compiler: CountingCompiler, tmp_path: Path
) -> None:
    noise = write(tmp_path / "noise.wasm", "\x89PNG")
    depths = set()
    for _ in range(3):
        with pytest.raises(NotWebAssembly, match=r"noise\.wasm is not WebAssembly") as told:
            shelf.get(noise)
        depths.add(len(told.traceback))
    assert len(depths) <= 2  # the first of them came from another thread
    assert compiler.begun == 1


def test_a_refusal_names_the_file_that_was_asked_for(shelf: Shelf, tmp_path: Path) -> None:
    for name in ("one.wasm", "other.wasm"):
        with pytest.raises(NotWebAssembly, match=f"^{name} is not"):
            shelf.get(write(tmp_path / name, "\x89PNG"))


def test_a_compiler_that_was_killed_is_not_remembered(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*words: Any, **settings: Any) -> None:
        raise CompilerGone("it was killed")

    with monkeypatch.context() as patched:
        patched.setattr(CountingCompiler, "begin", killed)
        with pytest.raises(CompilerGone):
            shelf.get(HELLO)
    assert shelf.get(HELLO).kind == "module"


def test_too_many_open_files_are_the_hosts_fault_and_not_remembered(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("atectl.capsule.source.os.open", no_more)
        with pytest.raises(HostExhausted, match="too many open files") as told:
            shelf.get(HELLO)
    assert told.value.exit_status == 125
    assert shelf.get(HELLO).kind == "module"


def test_a_fault_in_loading_keeps_nobody_waiting(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> Capsule:
        raise MemoryError

    monkeypatch.setattr(capsule_shelf, "look_up", break_down)
    for _ in range(2):
        with pytest.raises(InternalError, match="MemoryError"):
            shelf.get(HELLO)


# Entry points


def test_what_lacks_an_entry_point_is_compiled_only_for_who_needs_none(
    engine: Engine, shelf: Shelf, compiler: CountingCompiler, tmp_path: Path
) -> None:
    library = write(tmp_path / "library.wat", ONE)
    for _ in range(3):
        with pytest.raises(NoEntryPoint, match="has no _start to run; it exports one"):
            shelf.get(library, as_command=True)
    assert compiler.begun == 1
    assert exports_of(engine, shelf.get(library)) == ["one"]
    assert compiler.begun == 2
    assert exports_of(engine, shelf.get(library, as_command=True)) == ["one"]
    assert compiler.begun == 2


def test_a_file_that_is_replaced_leaves_nothing_of_what_it_lacked(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    path = tmp_path / "some.wat"
    for text in (ONE, TWO):
        write(tmp_path / "new", text).replace(path)
        with pytest.raises(NoEntryPoint):
            shelf.get(path, as_command=True)
    assert len(shelf._known) == 1


# Memory for it


def test_what_was_expected_to_take_less_is_compiled_with_more(
    engine: Engine, compiler: CountingCompiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is granted more as it goes on, or dies and is begun again with twice as much."""
    monkeypatch.setattr("atectl.capsule.estimate._FOR_A_BYTE_OF_TEXT", 0)
    bomb = write(tmp_path / "bomb.wat", merge_bomb(300, 300))
    assert Shelf(engine, None, compiler, compile_room()).get(bomb).kind == "module"
    monkeypatch.setattr(CompileRoom, "extend", lambda *_: 0)
    assert Shelf(engine, None, compiler, compile_room()).get(bomb).kind == "module"
    assert compiler.begun >= 5


def test_what_the_hosts_limit_leaves_no_room_for_is_said_so_and_not_remembered(
    engine: Engine, compiler: CountingCompiler, tmp_path: Path
) -> None:
    """The limit would do, but the host itself holds more than it did."""
    held = 200 * MIB
    arbiter = Arbiter(Budget(400 * MIB), rules("park"), lambda: None, resident=lambda: held)
    arbiter.measure_baseline()
    shelf = Shelf(engine, None, compiler, arbiter.compile_room(1, 1 << 29))
    bomb = write(tmp_path / "bomb.wat", merge_bomb(300, 300))
    held = 380 * MIB
    with pytest.raises(NoRoomToCompile, match=r"takes more than \d+MiB .* left no more") as told:
        shelf.get(bomb)
    assert told.value.exit_status == 137
    held = 200 * MIB
    assert shelf.get(bomb).kind == "module"


def test_what_gives_way_is_compiled_once_more_when_there_is_room(
    engine: Engine, compiler: CountingCompiler, slow: Path
) -> None:
    arbiter = Arbiter(Budget(1 << 40), rules("park"), lambda: None)
    room = arbiter.compile_room(1, 1 << 29)
    shelf = Shelf(engine, None, compiler, room)
    waiting = threading.Thread(target=get_until_gone, args=(shelf, slow))
    waiting.start()
    wait_until(lambda: compiler.begun == 1)
    arbiter._enforcer.compiles.give_way(1, 0)
    wait_until(lambda: compiler.begun == 2)
    shelf.close()
    waiting.join()
    assert not room._compiles.running


def test_code_is_kept_in_memory_only_where_no_cache_keeps_it(
    engine: Engine, compiler: CountingCompiler, tmp_path: Path
) -> None:
    room = Arbiter(Budget(1 << 40), rules("park"), lambda: None).compile_room(1, 1 << 29)
    shelf = Shelf(engine, None, compiler, room)
    assert shelf.get(HELLO).memory_bytes == shelf.kept_bytes > 0
    with ArtifactCache.open(tmp_path / "cache") as cache:
        shelf = Shelf(engine, cache, compiler, room)
        assert shelf.get(HELLO).memory_bytes == shelf.kept_bytes == 0


# Deadlines and ends


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return write(tmp_path / "slow.wat", slow_loops(6000, 50))


def test_who_asks_waits_until_its_deadline_and_others_go_on_waiting(
    shelf: Shelf, slow: Path, compiler: CountingCompiler
) -> None:
    gone: list[AtectlError] = []

    def wait_for_long() -> None:
        try:
            shelf.get(slow)
        except AtectlError as error:
            gone.append(error)

    patient = threading.Thread(target=wait_for_long)
    patient.start()
    wait_until(lambda: compiler.begun)
    with pytest.raises(DeadlinePassed, match=r"slow\.wat was still being compiled"):
        shelf.get(slow, until=time.monotonic() + 0.2)
    assert len(shelf._loading) == 1  # it may have begun again since, with more memory
    assert patient.is_alive()
    shelf.close()
    patient.join()
    assert [type(error) for error in gone] == [CompilerGone]


def test_what_nobody_waits_for_any_more_is_cut_short(
    shelf: Shelf, slow: Path, compiler: CountingCompiler
) -> None:
    with pytest.raises(DeadlinePassed):
        shelf.get(slow, until=time.monotonic() + 0.2)
    began = time.monotonic()
    # There is one place for compiling, and it is free again.
    assert shelf.get(HELLO, until=began + 60).kind == "module"
    assert time.monotonic() - began < 20


def get_until_gone(shelf: Shelf, path: Path) -> None:
    with suppress(CompilerGone):
        shelf.get(path)


def test_what_waits_for_its_turn_and_is_wanted_no_more_is_not_begun(
    engine: Engine, slow: Path, compiler: CountingCompiler, tmp_path: Path
) -> None:
    # Nothing is begun again there with more memory, which gives others their turn in between.
    unguarded = Arbiter(Budget(1 << 40), rules("none"), lambda: None)
    shelf = Shelf(engine, None, compiler, unguarded.compile_room(1, 1 << 29))
    patient = threading.Thread(target=get_until_gone, args=(shelf, slow))
    patient.start()
    wait_until(lambda: compiler.begun)
    other = write(tmp_path / "other.wat", ONE)
    with pytest.raises(DeadlinePassed):
        shelf.get(other, until=time.monotonic() + 0.2)
    shelf.close()
    patient.join()
    assert compiler.begun == 1


def test_its_deadline_tells_who_waited_in_vain_that_it_was_never_begun(
    engine: Engine, compiler: CountingCompiler
) -> None:
    arbiter = Arbiter(Budget(1 << 40), rules("park"), lambda: None)
    room = arbiter.compile_room(1, 1 << 29)
    assert room.enter(Ask("other", 1), lambda: True) is not None
    with pytest.raises(DeadlinePassed, match="still waiting to be compiled at its deadline"):
        Shelf(engine, None, compiler, room).get(HELLO, until=time.monotonic() + 0.1)
    assert compiler.begun == 0


def test_closing_ends_the_wait_for_a_turn(engine: Engine, compiler: CountingCompiler) -> None:
    arbiter = Arbiter(Budget(1 << 40), rules("park"), lambda: None)
    room = arbiter.compile_room(1, 1 << 29)
    assert room.enter(Ask("other", 1), lambda: True) is not None
    shelf = Shelf(engine, None, compiler, room)
    waiting = threading.Thread(target=get_until_gone, args=(shelf, HELLO))
    waiting.start()
    wait_until(lambda: arbiter._enforcer.compiles.first_in_line)
    shelf.close()
    waiting.join()
    assert compiler.begun == 0


def test_a_closed_shelf_compiles_nothing(shelf: Shelf) -> None:
    shelf.close()
    with pytest.raises(CompilerGone):
        shelf.get(HELLO)


def test_what_is_kept_is_bounded(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    monkeypatch.setattr(capsule_shelf, "MAX_CAPSULES", 3)
    assert MAX_CAPSULES > 3
    for number in range(5):
        shelf.get(write(tmp_path / str(number), f'(module (func (export "{number}")))'))
    assert len(shelf._known) == len(shelf._seen) == 3


def test_code_that_is_rejected_is_compiled_anew_once(
    engine: Engine, compiler: CountingCompiler, shelf: Shelf, tmp_path: Path
) -> None:
    path = write(tmp_path / "one.wat", ONE)
    first = shelf.get(path)
    shelf.reject(first)
    second = shelf.get(path)
    shelf.reject(first)  # by another who had it before
    assert shelf.get(path).artifact is second.artifact is not first.artifact
    assert compiler.begun == 2
