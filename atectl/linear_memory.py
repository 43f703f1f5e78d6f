"""The memory wasmtime is given: mapped, grown through a meter, and unmapped.

Every linear memory of every lease is made and grown here: plain ones, several in one module,
64-bit ones, the GC heap, the core memories of components. The callbacks run on the thread that
runs the guest, so a thread-local says whose lease is growing.

Address space for all that a memory may come to is reserved at once, closed; pages are opened as
it grows. What lies beyond, up to the guard the engine asks for, stays closed and traps.
"""

import ctypes
import errno
import itertools
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from atectl.accounting import Meter
from atectl.bindings import (
    create_memories_with,
    error_pointer,
    finalizer_callback,
    get_memory_callback,
    grow_memory_callback,
    new_memory_callback,
    system_memory,
)

_mmap, _munmap, _mprotect = system_memory()

_CLOSED = 0
_OPEN = mmap.PROT_READ | mmap.PROT_WRITE
_MAP_NORESERVE = 0x4000  # Linux; named in `mmap` only by later Pythons
_RESERVED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
_MAP_FAILED = ctypes.c_void_p(-1).value
_PAGE_BYTES = 65_536
_MOST_RESERVED_BYTES = 1 << 40
"""No quota makes a memory reserve more address space than this, unless it starts larger."""
_SUCCESS = 0


class LeaseMemory:
    """All the memory of one lease: its meter, and what went wrong in it.

    Args:
        meter: counts and limits the sum of the memories.
        on_refusal: called on the guest's thread after a growth was refused.
    """

    def __init__(self, meter: Meter, on_refusal: Callable[[], None] | None = None) -> None:
        self.meter = meter
        self.on_refusal = on_refusal
        self.refused_initial_bytes: int | None = None
        """Size of a new memory that was over the quota, None if there was none."""
        self.failures: list[BaseException] = []
        """Exceptions that arose in a callback, where they cannot be raised."""


class _Memory:
    __slots__ = ("base", "capacity_bytes", "mapped_bytes", "owner", "size_bytes")

    def __init__(self, owner: LeaseMemory, capacity_bytes: int, guard_bytes: int) -> None:
        self.owner = owner
        self.size_bytes = 0
        self.capacity_bytes = capacity_bytes
        self.mapped_bytes = capacity_bytes + guard_bytes
        base = _mmap(None, self.mapped_bytes, _CLOSED, _RESERVED, -1, 0)
        if base is None or base == _MAP_FAILED:
            raise _system_error(f"cannot reserve {self.mapped_bytes} bytes of address space")
        self.base = base

    def open(self, size_bytes: int) -> None:
        """Make the memory `size_bytes` long; its new pages are zero."""
        added = size_bytes - self.size_bytes
        if size_bytes > self.capacity_bytes:
            raise OSError(errno.ENOMEM, f"{size_bytes} bytes are more than were reserved")
        if added and _mprotect(self.base + self.size_bytes, added, _OPEN):
            raise _system_error(f"cannot open {added} bytes of memory")
        self.size_bytes = size_bytes

    def unmap(self) -> None:
        if _munmap(self.base, self.mapped_bytes):
            raise _system_error(f"cannot give back {self.mapped_bytes} bytes")


def _system_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


class MemoryCreator:
    """Makes the memories of one engine; to be kept for as long as any store of it lives."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._memories: dict[int, _Memory] = {}
        self._numbers = itertools.count(1)
        self._get = get_memory_callback(self._on_get)
        self._grow = grow_memory_callback(self._on_grow)
        self._free = finalizer_callback(self._on_free)
        self._new = new_memory_callback(self._on_new)
        self._referenced: list[Any] = []

    def install(self, config: Any) -> None:
        """Set the creator in an engine's config."""
        self._referenced.append(create_memories_with(config, self._new))

    @contextmanager
    def charging(self, lease: LeaseMemory) -> Iterator[None]:
        """Charge what this thread makes and grows to `lease`."""
        self._local.lease = lease
        try:
            yield
        finally:
            self._local.lease = None

    def __len__(self) -> int:
        """Memories that are mapped now."""
        return len(self._memories)

    # Nothing may be raised through native code, so every callback catches everything, keeps it
    # with the lease, and tells wasmtime by an error of its own.

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
            lease.refused_initial_bytes = minimum
            return error_pointer("the initial memory is over the quota")
        # Beyond its quota a memory never grows: to reserve that much spares ever moving it.
        allowed = -(-meter.quota.memory_bytes // _PAGE_BYTES) * _PAGE_BYTES
        wanted = min(maximum, allowed, _MOST_RESERVED_BYTES)
        memory = _Memory(lease, max(reserved, minimum, wanted), guard)
        try:
            memory.open(minimum)
        except OSError:
            memory.unmap()
            raise
        number = next(self._numbers)
        self._memories[number] = memory
        meter.charge(0, minimum)
        made = out[0]
        made.env, made.get_memory, made.grow_memory = number, self._get, self._grow
        made.finalizer = self._free
        return _SUCCESS

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
            memory.open(new_bytes)
            lease.meter.charge(old_bytes, new_bytes)
        except BaseException as failure:
            lease.failures.append(failure)
            return error_pointer(str(failure))
        return _SUCCESS

    def _on_free(self, number: int) -> None:
        memory = self._memories.pop(number)
        try:
            memory.owner.meter.release(memory.size_bytes)
            memory.unmap()
        except BaseException as failure:
            memory.owner.failures.append(failure)
