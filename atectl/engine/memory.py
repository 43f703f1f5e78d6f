"""The memories of guests: mapped for wasmtime, grown through a meter, and unmapped.

Every linear memory of every lease is made and grown here: plain ones, several in one module,
64-bit ones, the GC heap, the core memories of components. The callbacks run on the guest's thread,
so a thread-local variable tells which lease they belong to.

Where the capsule's data is in an image, a memory begins with that: see `images`. While its guest is
held, a memory can be spilled: it is then mapped from a file, at the same address.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from atectl.accounting import DEFAULT_BOUNDS, Meter, StoreBounds
from atectl.engine.bindings import (
    create_memories_with,
    error_pointer,
    finalizer_callback,
    get_memory_callback,
    grow_memory_callback,
    new_memory_callback,
)
from atectl.engine.mapped_memory import MappedMemory
from atectl.errors import EngineFailure

if TYPE_CHECKING:
    from atectl.engine.images import InitialMemories, InitialMemory
    from atectl.spill.area import SpillArea

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
        self._begins_with: InitialMemories | None = None
        self._yet_to_make: list[InitialMemory] = []

    def expect(self, memories: "InitialMemories | None") -> None:
        """An instance is about to be made whose memories begin with these images.

        Args:
            memories: None if it has no images.
        """
        self._begins_with = memories
        self._yet_to_make = [] if memories is None else list(reversed(memories.memories))

    def require_all_made(self) -> None:
        """The instance was made: no memory made from now on begins with an image.

        Raises:
            EngineFailure: not all the expected memories were made (exit 125).
        """
        self._begins_with = None
        if self._yet_to_make:
            raise EngineFailure("the engine made fewer memories than the capsule has")

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
            The bytes of memory that were freed, as measured.

        Raises:
            SpillCapReached, SpillDiskFull, SpillFailed, SpillFolderUnusable, OutOfMemory: not all
                was spilled. The guest can go on with its memory as it is (exit 125).
        """
        return sum(memory.mapped.spill(area) for memory in self._memories)

    @property
    def stored_bytes(self) -> int:
        """How much of the memories is on disk, spilled now or earlier."""
        return sum(each.mapped.stored_bytes for each in tuple(self._memories))

    def resident_bytes(self) -> int | None:
        """How much of the memories is resident; None if the system does not tell."""
        from atectl.system.pagemap import resident_bytes

        return self._measured(resident_bytes)

    def own_bytes(self) -> int | None:
        """How much of that is in no file, be it that of an image or one it was spilled to."""
        from atectl.system.pagemap import private_bytes

        return self._measured(private_bytes)

    def _measured(self, measure: Callable[[int, int], int | None]) -> int | None:
        mapped = [each.mapped for each in tuple(self._memories)]
        sizes = [measure(each.base, each.size_bytes) for each in mapped]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def _next_to_make(self, size_bytes: int) -> "InitialMemory | None":
        """What a new memory of this size begins with; None if it is not one that was expected."""
        if self._begins_with is None or not size_bytes:
            return None
        if not self._yet_to_make or self._yet_to_make[-1].size_bytes != size_bytes:
            raise EngineFailure(f"the engine made a memory of {size_bytes} bytes out of its turn")
        return self._yet_to_make.pop()

    def _is_admitted(self, added_bytes: int) -> bool:
        return self.gate is None or not added_bytes or self.gate.admit(added_bytes)

    def _give_back(self, freed_bytes: int) -> None:
        if self.gate is not None:
            self.gate.give_back(freed_bytes)


class _Memory(NamedTuple):
    owner: LeaseMemory
    mapped: MappedMemory


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
            mapped = self._map(lease, minimum, max(least, wanted), guard)
        except (OSError, EngineFailure):
            lease._give_back(minimum)
            raise
        number = next(self._numbers)
        memory = _Memory(lease, mapped)
        lease._memories.append(memory)
        lease.reserved_bytes += mapped.mapped_bytes
        self._memories[number] = memory
        meter.charge(0, minimum)
        made = out[0]
        made.env, made.get_memory, made.grow_memory = number, self._get, self._grow
        made.finalizer = self._free
        return _SUCCESS

    def _map(self, lease: LeaseMemory, minimum: int, capacity: int, guard: int) -> MappedMemory:
        begins_with = lease._next_to_make(minimum)
        memory = MappedMemory(capacity, guard)
        try:
            memory.open(minimum)
            if begins_with is not None and begins_with.image is not None:
                assert lease._begins_with is not None  # noqa: S101 - it is in there
                memory.begin_with(begins_with.image, lease._begins_with)
        except OSError:
            memory.unmap()
            raise
        return memory

    def _on_get(self, number: int, size: Any, capacity: Any) -> int:
        memory = self._memories[number].mapped
        size[0], capacity[0] = memory.size_bytes, memory.capacity_bytes
        return memory.base

    def _on_grow(self, number: int, new_bytes: int) -> int:
        lease, memory = self._memories[number]
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
        owner, mapped = memory
        try:
            owner._memories.remove(memory)
            owner.reserved_bytes -= mapped.mapped_bytes
            held_bytes = mapped.size_bytes
            # Giving up gigabytes takes a while. Until then whoever compares what the process holds
            # with what is charged would take them for the host's own.
            mapped.unmap()
            owner.meter.release(held_bytes)
            owner._give_back(held_bytes)
        except BaseException as failure:
            owner.failures.append(failure)
