"""A memory has what was written to it, whatever it began with and however often it was spilled."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from atectl.engine import mapped_memory
from atectl.engine.images import ALIGNMENT, Image, InitialMemories
from atectl.engine.mapped_memory import MOST_IMAGE_PARTS, MappedMemory
from atectl.spill.area import SpillArea
from atectl.spill.errors import OutOfMemory, SpillCapReached
from atectl.system import pagemap

CHUNKS = 24
MOST = 2 * CHUNKS * ALIGNMENT
PLACE, OFFSET = 2 * ALIGNMENT, 3 * ALIGNMENT


def image_file(size_bytes: int) -> InitialMemories:
    """A file that has an image of this size at `PLACE`."""
    descriptor = os.memfd_create("images")
    pattern = b"".join(number.to_bytes(4, "little") for number in range(1, 1 + size_bytes // 4))
    os.pwrite(descriptor, pattern, PLACE)
    return InitialMemories(descriptor, (), is_owned=True)


class Mapped:
    """A memory that begins with an image, beside a model of what it has to hold."""

    def __init__(self, area: SpillArea, chunks: int = CHUNKS, image_chunks: int = 14) -> None:
        self.area = area
        self.memory = MappedMemory(2 * chunks * ALIGNMENT, ALIGNMENT)
        self.memory.open(chunks * ALIGNMENT)
        size_bytes = image_chunks * ALIGNMENT
        source = image_file(size_bytes)
        self.memory.begin_with(Image(PLACE, OFFSET, size_bytes), source)
        self.model = bytearray(chunks * ALIGNMENT)
        self.model[OFFSET : OFFSET + size_bytes] = os.pread(source.descriptor, size_bytes, PLACE)

    def write(self, at: int, content: bytes) -> None:
        content = content[: len(self.model) - at]
        ctypes.memmove(self.memory.base + at, content, len(content))
        self.model[at : at + len(content)] = content

    def grow(self) -> None:
        self.memory.open(len(self.model) + ALIGNMENT)
        self.model.extend(bytes(ALIGNMENT))

    @property
    def content(self) -> bytes:
        return ctypes.string_at(self.memory.base, self.memory.size_bytes)


@pytest.fixture
def area(tmp_path: Path) -> SpillArea:
    return SpillArea(tmp_path)


@pytest.fixture
def mapped(area: SpillArea) -> Iterator[Mapped]:
    mapped = Mapped(area)
    yield mapped
    mapped.memory.unmap()


class AnyHistory(RuleBasedStateMachine):
    """Writes, growths, spills and spills that fail, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = SpillArea(Path.home() if not _is_in_memory(Path.home()) else Path.cwd())
        self.mapped = Mapped(self.folder)

    @rule(
        at=st.integers(0, MOST - 1),
        content=st.one_of(st.binary(min_size=1, max_size=20), st.just(bytes(3 * ALIGNMENT))),
    )
    def write(self, at: int, content: bytes) -> None:
        self.mapped.write(at % len(self.mapped.model), content)

    @rule()
    def grow(self) -> None:
        if len(self.mapped.model) < MOST:
            self.mapped.grow()

    @rule()
    def spill(self) -> None:
        self.mapped.memory.spill(self.folder)
        assert self.own_bytes() == 0

    @rule()
    def fail_to_spill(self) -> None:
        self.folder.cap_bytes = self.folder.used_bytes
        try:
            self.mapped.memory.spill(self.folder)
        except SpillCapReached:
            pass
        finally:
            self.folder.cap_bytes = None

    def own_bytes(self) -> int | None:
        memory = self.mapped.memory
        return pagemap.private_bytes(memory.base, memory.size_bytes)

    @invariant()
    def has_what_was_written(self) -> None:
        assert self.mapped.content == bytes(self.mapped.model)
        assert self.mapped.memory.stored_bytes <= len(self.mapped.model)

    def teardown(self) -> None:
        self.mapped.memory.unmap()
        assert self.folder.used_bytes == 0


def _is_in_memory(folder: Path) -> bool:
    from atectl.spill.room import filesystem_of

    return filesystem_of(folder) in ("tmpfs", "ramfs")


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)


def test_pages_of_an_image_that_nobody_changed_are_never_written(mapped: Mapped) -> None:
    assert mapped.content == mapped.model  # all pages are there
    mapped.memory.spill(mapped.area)
    assert mapped.memory.stored_bytes == mapped.area.used_bytes == 0
    assert mapped.content == mapped.model


def test_only_what_was_changed_is_written(mapped: Mapped) -> None:
    mapped.write(OFFSET + ALIGNMENT + 70, b"x")
    mapped.memory.spill(mapped.area)
    assert mapped.memory.stored_bytes == ALIGNMENT
    assert mapped.content == mapped.model


def test_a_part_of_an_image_that_was_cleared_stays_so(mapped: Mapped) -> None:
    mapped.write(OFFSET, bytes(ALIGNMENT))
    mapped.memory.spill(mapped.area)
    assert mapped.memory.stored_bytes == 0
    assert mapped.content == mapped.model


def test_pages_of_an_image_are_nobodys_own_until_they_are_changed(mapped: Mapped) -> None:
    image = (mapped.memory.base + OFFSET, 14 * ALIGNMENT)
    assert mapped.content
    assert pagemap.resident_bytes(*image) == 14 * ALIGNMENT
    assert pagemap.private_bytes(*image) == 0
    mapped.write(OFFSET, b"x")
    assert pagemap.private_bytes(*image) == mmap.PAGESIZE


def mappings(memory: MappedMemory) -> int:
    """How many parts the accessible memory is mapped in."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    starts = [int(line.split("-")[0], 16) for line in lines]
    return sum(memory.base <= start < memory.base + memory.size_bytes for start in starts)


def test_a_memory_is_never_mapped_in_very_many_parts(area: SpillArea) -> None:
    image_chunks = 5 * MOST_IMAGE_PARTS
    mapped = Mapped(area, image_chunks + 10, image_chunks)
    for chunk in range(0, image_chunks, 2):
        mapped.write(OFFSET + chunk * ALIGNMENT, b"changed")
    mapped.memory.spill(area)
    assert MOST_IMAGE_PARTS < mappings(mapped.memory) <= 2 * MOST_IMAGE_PARTS + 1
    assert mapped.content == mapped.model
    mapped.memory.unmap()


def test_where_pages_cannot_be_told_apart_all_are_written(
    mapped: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagemap, "private_pages", lambda *_: None)
    mapped.memory.spill(mapped.area)
    assert mapped.memory.stored_bytes == 14 * ALIGNMENT
    assert mapped.content == mapped.model


def test_a_mapping_that_fails_half_way_loses_nothing(
    mapped: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped.write(OFFSET + 4 * ALIGNMENT, b"changed")
    really, calls = mapped_memory._mmap, iter((True, True, False))

    def fail_the_third(base: int, size: int, access: int, flags: int, file: int, at: int) -> int:
        if file == -1 or next(calls):
            return int(really(base, size, access, flags, file, at) or 0)
        return -1

    monkeypatch.setattr(mapped_memory, "_mmap", fail_the_third)
    with pytest.raises(OutOfMemory):
        mapped.memory.spill(mapped.area)
    monkeypatch.undo()
    assert mapped.content == mapped.model
    mapped.memory.spill(mapped.area)
    assert mapped.content == mapped.model
