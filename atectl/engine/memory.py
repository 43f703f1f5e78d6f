"""The memories of guests: mapped for wasmtime, grown through a meter, and unmapped.

Every linear memory of every lease is made and grown here: plain ones, several in one module,
64-bit ones, the GC heap, the core memories of components. The callbacks run on the guest's thread,
so a thread-local variable tells which lease they belong to.

Address space for a memory's maximum size is reserved at once, without access; pages become
accessible as it grows. The rest, up to the guard region of the engine, stays inaccessible, and
using it traps. While its guest is held, a memory can be spilled: it is then mapped from a file, at
the same address.
"""

import ctypes
import errno
import itertools
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from atectl.accounting import DEFAULT_BOUNDS, Meter, StoreBounds
from atectl.engine.bindings import (
    create_memories_with,
    error_pointer,
    finalizer_callback,
    get_memory_callback,
    grow_memory_callback,
    new_memory_callback,
    system_memory,
)

if TYPE_CHECKING:
    from atectl.spill.area import SpillArea, SpillFile

_mmap, _munmap, _mprotect = system_memory()

_CLOSED = 0
_OPEN = mmap.PROT_READ | mmap.PROT_WRITE
_MAP_NORESERVE = 0x4000  # Linux; named in `mmap` only by later Pythons
_RESERVED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
_MAP_FIXED = 0x10  # on every system wasmtime runs on; `mmap` does not name it
_ANEW = _RESERVED | _MAP_FIXED
_FROM_FILE = mmap.MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
_MAP_FAILED = ctypes.c_void_p(-1).value
PAGE_BYTES = 65_536
_MOST_RESERVED_BYTES = 1 << 40
"""The most address space that is reserved because of a quota; an initial size may be larger."""
_SUCCESS = 0


class Gate(Protocol):
    """Decides for the host on growths that the quota allows."""

    def admit(self, added_bytes: int) -> bool:
        """Whether the growth may take place; the guest's thread may be held here first."""
        ...

    def give_back(self, freed_bytes: int) -> None:
        """Report that admitted bytes were freed, or could not be used."""
        ...


class LeaseMemory:
    """All memories of one lease, their meter, and the failures in their callbacks.

    Args:
        meter: counts and limits the sum of the memories.
        gate: asked after the meter; None if the lease is the only one of its host.
    """

    def __init__(self, meter: Meter, gate: Gate | None = None) -> None:
        self.meter = meter
        self.gate = gate
        self.on_refusal: Callable[[], None] | None = None
        """Called on the guest's thread after a growth was refused."""
        self.initial_bytes_needed: int | None = None
        """The size of all its memories with a new one that exceeded the quota; else None."""
        self.failures: list[BaseException] = []
        """Exceptions in callbacks, which native code cannot pass on."""
        self.passed_bound: str | None = None
        """Which of the `StoreBounds` a new memory would have passed; else None."""
        self.reserved_bytes = 0
        """Address space that its memories have reserved."""
        self.state_bytes = 0
        """What is charged for the state of the instances beside the memories."""
        self._memories: list[_Memory] = []

    def hold_state(self, state_bytes: int) -> bool:
        """Charge the state of instances before they are made. Returns False if it is refused.

        If it exceeds the quota, `initial_bytes_needed` says so. The thread may be held here first.
        """
        if not self.meter.admit(0, state_bytes):
            self.initial_bytes_needed = self.meter.read().current_bytes + state_bytes
            return False
        if not self._is_admitted(state_bytes):
            return False
        self.meter.charge(0, state_bytes)
        self.state_bytes += state_bytes
        return True

    def release_state(self) -> None:
        """Count that the instances are gone."""
        held_bytes, self.state_bytes = self.state_bytes, 0
        if not held_bytes:
            return
        self.meter.release(held_bytes)
        self._give_back(held_bytes)

    def spill(self, area: "SpillArea") -> int:
        """Write every memory to disk and free its pages. They are read back when they are touched.

        To be called only while the guest is held: in its growth request, or at a tick.

        Returns:
            The resident bytes that were freed, as measured.

        Raises:
            SpillCapReached, SpillDiskFull, SpillFailed, SpillFolderUnusable, OutOfMemory: not all
                was spilled. The guest can go on with its memory as it is (exit 125).
        """
        return sum(memory.spill(area) for memory in self._memories)

    @property
    def stored_bytes(self) -> int:
        """How much of the memories is on disk, spilled now or earlier."""
        return sum(each.file.stored_bytes for each in tuple(self._memories) if each.file)

    def resident_bytes(self) -> int | None:
        """How much of the memories is resident; None if the system does not tell."""
        from atectl.system.pagemap import resident_bytes

        sizes = [resident_bytes(each.base, each.size_bytes) for each in tuple(self._memories)]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def _is_admitted(self, added_bytes: int) -> bool:
        return self.gate is None or not added_bytes or self.gate.admit(added_bytes)

    def _give_back(self, freed_bytes: int) -> None:
        if self.gate is not None:
            self.gate.give_back(freed_bytes)


class _Memory:
    __slots__ = ("base", "capacity_bytes", "file", "mapped_bytes", "owner", "size_bytes")

    def __init__(self, owner: LeaseMemory, capacity_bytes: int, guard_bytes: int) -> None:
        self.owner = owner
        self.file: SpillFile | None = None
        self.size_bytes = 0
        self.capacity_bytes = capacity_bytes
        self.mapped_bytes = capacity_bytes + guard_bytes
        base = _mmap(None, self.mapped_bytes, _CLOSED, _RESERVED, -1, 0)
        if base is None or base == _MAP_FAILED:
            raise _system_error(f"cannot reserve {self.mapped_bytes} bytes of address space")
        self.base = base

    def open(self, size_bytes: int) -> None:
        """Make the first `size_bytes` accessible; new pages are zero."""
        added = size_bytes - self.size_bytes
        if size_bytes > self.capacity_bytes:
            raise OSError(errno.ENOMEM, f"{size_bytes} bytes are more than were reserved")
        if added and _mprotect(self.base + self.size_bytes, added, _OPEN):
            raise _system_error(f"cannot open {added} bytes of memory")
        self.size_bytes = size_bytes

    def spill(self, area: "SpillArea") -> int:
        """Write it to disk and map it from there. Returns the resident bytes that this freed."""
        if not self.size_bytes:
            return 0
        from atectl.spill.area import resident_size
        from atectl.spill.errors import OutOfMemory
        from atectl.system.pagemap import private_pages

        before = resident_size(self.base, self.size_bytes)
        if self.file is None:
            self.file = area.open_file()
        content = memoryview((ctypes.c_char * self.size_bytes).from_address(self.base)).cast("B")
        self.file.save(content, private_pages(self.base, self.size_bytes))
        descriptor = self.file.descriptor
        if _mmap(self.base, self.size_bytes, _OPEN, _FROM_FILE, descriptor, 0) != self.base:
            failure = OutOfMemory(str(_system_error("cannot map spilled memory")))
            self._take_back(content)
            raise failure
        return max(before - resident_size(self.base, self.size_bytes), 0)

    def _take_back(self, content: memoryview) -> None:
        """Restore the memory after a failed mapping, which may have removed it."""
        if _mmap(self.base, self.size_bytes, _OPEN, _ANEW, -1, 0) == self.base:
            assert self.file is not None  # noqa: S101 - it was just saved
            self.file.load(content)

    def unmap(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
        if _munmap(self.base, self.mapped_bytes):
            raise _system_error(f"cannot give back {self.mapped_bytes} bytes")


def _system_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


class MemoryCreator:
    """Makes the memories of one engine. It must exist as long as any store of the engine.

    Args:
        bounds: what each lease may make.
    """

    def __init__(self, bounds: StoreBounds = DEFAULT_BOUNDS) -> None:
        self._bounds = bounds
        self._local = threading.local()
        self._memories: dict[int, _Memory] = {}
        self._numbers = itertools.count(1)
        self._get = get_memory_callback(self._on_get)
        self._grow = grow_memory_callback(self._on_grow)
        self._free = finalizer_callback(self._on_free)
        self._new = new_memory_callback(self._on_new)
        self._referenced: list[Any] = []

    def install(self, config: Any) -> None:
        """Let an engine with this config use the creator."""
        self._referenced.append(create_memories_with(config, self._new))

    @contextmanager
    def charging(self, lease: LeaseMemory) -> Iterator[None]:
        """Charge memories that this thread makes and grows to `lease`."""
        self._local.lease = lease
        try:
            yield
        finally:
            self._local.lease = None

    def __len__(self) -> int:
        """The number of mapped memories."""
        return len(self._memories)

    # Exceptions must not pass through native code. So every callback catches all of them, keeps
    # them with the lease, and returns an error to wasmtime.

    def _on_new(
        self, _env: int, _type: Any, minimum: int, maximum: int, reserved: int, guard: int, out: Any
    ) -> int:
        lease = getattr(self._local, "lease", None)
        if lease is None:
            return error_pointer("a memory was asked for outside any lease")
        try:
            return self._make(lease, minimum, maximum, reserved, guard, out)
        except BaseException as failure:
            lease.failures.append(failure)
            return error_pointer(str(failure))

    def _make(
        self, lease: LeaseMemory, minimum: int, maximum: int, reserved: int, guard: int, out: Any
    ) -> int:
        meter = lease.meter
        if not meter.admit(0, minimum):
            lease.initial_bytes_needed = meter.read().current_bytes + minimum
            return error_pointer("the initial memory is over the quota")
        least = max(reserved, minimum)
        left = self._bounds.reserved_bytes - lease.reserved_bytes - guard
        if len(lease._memories) >= self._bounds.memories or least > left:
            is_many = len(lease._memories) >= self._bounds.memories
            lease.passed_bound = "memories" if is_many else "reserved"
            return error_pointer("more memories than a lease may have")
        if not lease._is_admitted(minimum):
            return error_pointer("the lease is to end")
        # A memory never grows beyond the quota: with that much reserved it never has to move.
        allowed = -(-meter.quota.memory_bytes // PAGE_BYTES) * PAGE_BYTES
        wanted = min(maximum, allowed, _MOST_RESERVED_BYTES, left)
        try:
            memory = self._map(lease, minimum, max(least, wanted), guard)
        except OSError:
            lease._give_back(minimum)
            raise
        number = next(self._numbers)
        lease._memories.append(memory)
        lease.reserved_bytes += memory.mapped_bytes
        self._memories[number] = memory
        meter.charge(0, minimum)
        made = out[0]
        made.env, made.get_memory, made.grow_memory = number, self._get, self._grow
        made.finalizer = self._free
        return _SUCCESS

    def _map(self, lease: LeaseMemory, minimum: int, capacity: int, guard: int) -> _Memory:
        memory = _Memory(lease, capacity, guard)
        try:
            memory.open(minimum)
        except OSError:
            memory.unmap()
            raise
        return memory

    def _on_get(self, number: int, size: Any, capacity: Any) -> int:
        memory = self._memories[number]
        size[0], capacity[0] = memory.size_bytes, memory.capacity_bytes
        return memory.base

    def _on_grow(self, number: int, new_bytes: int) -> int:
        memory = self._memories[number]
        lease = memory.owner
        try:
            old_bytes = memory.size_bytes
            if not lease.meter.admit(old_bytes, new_bytes):
                if lease.on_refusal is not None:
                    lease.on_refusal()
                return error_pointer("over the quota")
            if not lease._is_admitted(new_bytes - old_bytes):
                return error_pointer("the lease is to end")
            try:
                memory.open(new_bytes)
            except OSError:
                lease._give_back(new_bytes - old_bytes)
                raise
            lease.meter.charge(old_bytes, new_bytes)
        except BaseException as failure:
            lease.failures.append(failure)
            return error_pointer(str(failure))
        return _SUCCESS

    def _on_free(self, number: int) -> None:
        memory = self._memories.pop(number)
        owner = memory.owner
        try:
            owner._memories.remove(memory)
            owner.reserved_bytes -= memory.mapped_bytes
            owner.meter.release(memory.size_bytes)
            memory.unmap()
            owner._give_back(memory.size_bytes)
        except BaseException as failure:
            owner.failures.append(failure)
