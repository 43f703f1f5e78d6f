"""Spilled memory: gone from the system, back as the guest left it, and under no name."""

import ctypes
import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path

import pytest
from wasmtime import Instance, Module

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine import mapped_memory
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.spill import area as spill
from atectl.spill.area import CHUNK_BYTES, SpillArea, SpillFile
from atectl.spill.errors import (
    OutOfMemory,
    SpillCapReached,
    SpillDiskFull,
    SpillFailed,
    SpillFolderUnusable,
    SpillOntoMemory,
)
from atectl.system import pagemap
from atectl.system.memory import resident_bytes
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.limits import files_no_larger_than

MIB = 1 << 20
PAGE = 65_536

HOLDS = """(module (memory (export "memory") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func $word (param i32) (result i32)
    (i32.mul (i32.xor (local.get 0) (i32.const 40503)) (i32.const 69069)))
  (func (export "fill") (param i32 i32)
    (loop $next
      (i32.store (local.get 0) (call $word (local.get 0)))
      (local.set 0 (i32.add (local.get 0) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get 0) (local.get 1)))))
  (func (export "wrong") (param i32 i32) (result i32) (local $found i32)
    (loop $next
      (local.set $found (i32.add (local.get $found)
        (i32.ne (i32.load (local.get 0)) (call $word (local.get 0)))))
      (local.set 0 (i32.add (local.get 0) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get 0) (local.get 1))))
    (local.get $found))
  (func (export "clear") (param i32 i32)
    (memory.fill (local.get 0) (i32.const 0) (local.get 1)))
  (func (export "read") (param i32) (result i32) (i32.load (local.get 0))))"""

TWO_AND_WIDE = """(module (memory $a 4) (memory $b i64 4)
  (func (export "write")
    (i32.store $a (i32.const 1000) (i32.const 11)) (i32.store $b (i64.const 200000) (i32.const 22)))
  (func (export "sum") (result i32)
    (i32.add (i32.load $a (i32.const 1000)) (i32.load $b (i64.const 200000)))))"""

CHAIN = """(module (type $node (struct (field (ref null $node)) (field i32)))
  (global $head (mut (ref null $node)) (ref.null $node))
  (func (export "push") (param i32)
    (loop $next
      (global.set $head (struct.new $node (global.get $head) (local.get 0)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $next (local.get 0))))
  (func (export "sum") (result i32) (local $at (ref null $node)) (local $sum i32)
    (local.set $at (global.get $head))
    (loop $next
      (if (i32.eqz (ref.is_null (local.get $at))) (then
        (local.set $sum (i32.add (local.get $sum) (struct.get $node 1 (local.get $at))))
        (local.set $at (struct.get $node 0 (local.get $at)))
        (br $next))))
    (local.get $sum)))"""


@pytest.fixture
def area(tmp_path: Path) -> SpillArea:
    return SpillArea(tmp_path)


class Guest:
    """One instance, whose calls stand still between them, as if it were parked."""

    def __init__(self, engine: Engine, wat: str = HOLDS) -> None:
        self.memory = LeaseMemory(Meter(Principal(), Quota(256 * MIB), Ledger()))
        self.store = engine.new_store(GuestControl())
        self._engine = engine
        module = Module(engine.native, wat)
        with engine.memories.charging(self.memory):
            self._exports = Instance(self.store, module, []).exports(self.store)

    def call(self, name: str, *arguments: int) -> int:
        with self._engine.memories.charging(self.memory):
            return self._exports[name](self.store, *arguments)  # type: ignore[operator, no-any-return]

    def filled(self, size_bytes: int) -> "Guest":
        self.call("grow", size_bytes // PAGE - 1)
        self.call("fill", 0, size_bytes)
        return self

    def resident(self) -> int:
        found = self.memory.resident_bytes()
        assert found is not None
        return found


def test_contents_survive(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(8 * MIB)
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 8 * MIB) == 0


def test_the_resident_size_of_the_process_falls_by_what_was_freed(
    engine: Engine, area: SpillArea
) -> None:
    guest = Guest(engine).filled(64 * MIB)
    before = resident_bytes() or 0
    freed_bytes = guest.memory.spill(area)
    after = resident_bytes() or 0
    assert freed_bytes == 64 * MIB
    assert before - after > 60 * MIB


def test_pages_come_back_only_as_they_are_touched(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(32 * MIB)
    guest.memory.spill(area)
    assert guest.resident() == 0
    guest.call("read", 16 * MIB)
    assert 0 < guest.resident() < 4 * MIB


def test_a_spilled_memory_can_still_grow(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(2 * MIB)
    guest.memory.spill(area)
    assert guest.call("grow", 32) == 32
    assert guest.call("read", 4 * MIB - 4) == 0
    guest.call("fill", 2 * MIB, 4 * MIB)
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 4 * MIB) == 0


def test_what_is_written_after_a_spill_is_in_the_next(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(2 * MIB)
    guest.memory.spill(area)
    guest.call("clear", MIB, PAGE)
    guest.memory.spill(area)
    assert guest.call("read", MIB) == 0
    guest.call("fill", MIB, MIB + PAGE)
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 2 * MIB) == 0


def test_what_has_not_changed_is_not_written_again(
    engine: Engine, area: SpillArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    pwrite = os.pwrite

    def count(descriptor: int, data: memoryview, offset: int) -> int:
        written.append(len(data))
        return pwrite(descriptor, data, offset)

    guest = Guest(engine).filled(4 * MIB)
    guest.memory.spill(area)
    monkeypatch.setattr(os, "pwrite", count)
    guest.call("wrong", 0, 4 * MIB)
    guest.memory.spill(area)
    assert written == []
    guest.call("fill", MIB, MIB + 4)
    guest.memory.spill(area)
    assert written == [CHUNK_BYTES]


def test_without_a_page_map_everything_is_written_and_nothing_lost(
    engine: Engine, area: SpillArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagemap, "_read", lambda *_: None)
    guest = Guest(engine).filled(2 * MIB)
    assert guest.memory.resident_bytes() is None
    for _ in range(2):
        guest.memory.spill(area)
        guest.call("fill", MIB, MIB + PAGE)
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 2 * MIB) == 0


def test_zero_pages_take_no_room_on_disk(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine)
    guest.call("grow", 1023)
    guest.call("fill", 32 * MIB, 32 * MIB + PAGE)
    guest.memory.spill(area)
    assert area.used_bytes == PAGE
    (file,) = [status for status in _open_files() if status.st_size == 64 * MIB]
    assert file.st_blocks * 512 <= 2 * PAGE
    assert guest.call("wrong", 32 * MIB, 32 * MIB + PAGE) == 0
    assert guest.call("read", 63 * MIB) == 0


def test_all_memories_of_a_lease_are_spilled(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine, TWO_AND_WIDE)
    guest.call("write")
    guest.memory.spill(area)
    assert guest.resident() == 0
    assert guest.call("sum") == 33


def test_the_garbage_collected_heap_is_spilled(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine, CHAIN)
    guest.call("push", 20_000)
    freed_bytes = guest.memory.spill(area)
    assert freed_bytes >= 20_000 * 16
    assert guest.call("sum") == 20_000 * 20_001 // 2
    guest.call("push", 100)
    assert guest.call("sum") == 20_000 * 20_001 // 2 + 100 * 101 // 2


def test_no_name_leads_to_what_was_spilled(engine: Engine, area: SpillArea, tmp_path: Path) -> None:
    guest = Guest(engine).filled(MIB)
    guest.memory.spill(area)
    assert list(tmp_path.iterdir()) == []
    assert guest.call("wrong", 0, MIB) == 0


def test_a_file_system_without_nameless_files_will_do(
    engine: Engine, area: SpillArea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", 0)  # to open the folder itself is refused then
    guest = Guest(engine).filled(MIB)
    guest.memory.spill(area)
    assert list(tmp_path.iterdir()) == []
    assert guest.call("wrong", 0, MIB) == 0


def test_when_the_store_ends_nothing_is_left(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(4 * MIB)
    opened, mappings = open_descriptors(), _mappings()
    guest.memory.spill(area)
    guest.store.close()
    assert area.used_bytes == 0
    assert opened_since(opened) == []
    assert _mappings() <= mappings


def test_the_cap_holds_over_all_leases_together(engine: Engine, tmp_path: Path) -> None:
    area = SpillArea(tmp_path, cap_bytes=3 * MIB)
    first, second = Guest(engine).filled(2 * MIB), Guest(engine).filled(2 * MIB)
    first.memory.spill(area)
    assert area.room_bytes == MIB
    with pytest.raises(SpillCapReached, match="3MiB"):
        second.memory.spill(area)
    assert second.call("wrong", 0, 2 * MIB) == 0
    first.store.close()
    second.memory.spill(area)
    assert second.call("wrong", 0, 2 * MIB) == 0


def test_a_full_disk_leaves_the_memory_as_it_was(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(4 * MIB)
    with files_no_larger_than(MIB), pytest.raises(SpillDiskFull):
        guest.memory.spill(area)
    assert guest.call("wrong", 0, 4 * MIB) == 0
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 4 * MIB) == 0


def test_a_spill_that_failed_takes_no_room(engine: Engine, area: SpillArea) -> None:
    guest = Guest(engine).filled(4 * MIB)
    with files_no_larger_than(2 * MIB), pytest.raises(SpillDiskFull):
        guest.memory.spill(area)
    assert area.used_bytes == guest.memory.stored_bytes == 0
    assert blocks_taken(guest) == 0


def test_a_later_spill_that_failed_takes_no_more_room_than_before(
    engine: Engine, area: SpillArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(engine).filled(2 * MIB)
    guest.memory.spill(area)
    before = blocks_taken(guest)
    guest.call("grow", 32)
    guest.call("fill", 0, 4 * MIB)
    monkeypatch.setattr(SpillFile, "_write", broken_write)
    with pytest.raises(SpillFailed):
        guest.memory.spill(area)
    monkeypatch.undo()
    assert area.used_bytes == guest.memory.stored_bytes == 2 * MIB
    assert blocks_taken(guest) <= before
    assert guest.call("wrong", 0, 4 * MIB) == 0
    guest.memory.spill(area)
    assert guest.call("wrong", 0, 4 * MIB) == 0


def broken_write(file: SpillFile, content: memoryview, start: int, end: int) -> None:
    """The disk takes all and then fails."""
    os.pwrite(file.descriptor, content[start:end], start)
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def blocks_taken(guest: Guest) -> int:
    [memory] = guest.memory._memories
    assert memory.mapped._file is not None
    return os.fstat(memory.mapped._file.descriptor).st_blocks


def test_memory_whose_mapping_failed_half_way_is_as_it_was(
    engine: Engine, area: SpillArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(engine).filled(4 * MIB)
    guest.call("clear", MIB, MIB)
    really = mapped_memory._mmap

    def unmap_and_fail(base: int, size: int, access: int, flags: int, file: int, at: int) -> int:
        if file == -1:
            return int(really(base, size, access, flags, file, at))
        mapped_memory._munmap(base, size)
        return -1

    monkeypatch.setattr(mapped_memory, "_mmap", unmap_and_fail)
    with pytest.raises(OutOfMemory):
        guest.memory.spill(area)
    monkeypatch.undo()
    assert guest.call("wrong", 0, MIB) == 0
    assert guest.call("wrong", 2 * MIB, 4 * MIB) == 0
    assert guest.call("read", MIB) == 0


def test_a_disk_that_fills_up_later_loses_nothing_of_what_was_spilled(
    engine: Engine, area: SpillArea
) -> None:
    guest = Guest(engine).filled(2 * MIB)
    guest.memory.spill(area)
    guest.call("grow", 32)
    guest.call("fill", MIB, 4 * MIB)
    with files_no_larger_than(3 * MIB), pytest.raises(SpillDiskFull):
        guest.memory.spill(area)
    assert guest.call("wrong", 0, 4 * MIB) == 0


def test_a_folder_in_memory_is_refused() -> None:
    with pytest.raises(SpillOntoMemory):
        SpillArea(Path("/dev/shm"))


def test_a_folder_that_is_gone_has_no_room_and_takes_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()
    area = SpillArea(folder)
    assert area.room_bytes > 0
    folder.rmdir()
    assert area.room_bytes == 0
    with pytest.raises(SpillFolderUnusable):
        area.open_file()


def test_the_page_map_tells_what_is_resident_and_what_is_private() -> None:
    with mmap.mmap(-1, 4 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        memory[2 * mmap.PAGESIZE] = 1
        assert pagemap.private_pages(base, 4 * mmap.PAGESIZE) == b"\0\0\1\0"
        assert pagemap.resident_bytes(base, 4 * mmap.PAGESIZE) == mmap.PAGESIZE


def test_neighbouring_chunks_are_written_together() -> None:
    assert list(spill._runs([0, 1, 4, 6, 7, 8])) == [(0, 2), (4, 5), (6, 9)]
    assert list(spill._runs([])) == []


def _open_files() -> list[os.stat_result]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the folder itself is closed by now
            found.append(descriptor.stat())
    return found


def _mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())
