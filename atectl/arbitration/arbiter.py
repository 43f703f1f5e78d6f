"""The arbiter among running leases: what the host of a process sees of it.

A guest is held inside its growth request, or at an epoch tick. What it holds is spilled there, too,
while nothing of it runs. What is done to whom `decide` says, `Enforcer` carries it out, and `Place`
is where a guest is held.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from atectl.accounting import Budget, Pressure
from atectl.arbitration.chronicle import Chronicle, Observer
from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.enforcer import Enforcer
from atectl.arbitration.measuring import HostUse
from atectl.arbitration.place import Place
from atectl.arbitration.policies import Rules
from atectl.arbitration.seat import Ruling, Seat, Tenant
from atectl.arbitration.spill_disk import SpillDisk
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import HostView
from atectl.errors import AtectlError
from atectl.system import cores
from atectl.system import memory as host_memory

if TYPE_CHECKING:
    from atectl.spill.area import SpillArea


class Arbiter:
    """Holds the leases of one process under one budget.

    `reconcile` is to be called every 50 ms or so for as long as there are leases.

    Args:
        budget: what the process may use.
        rules: what may be done to whom.
        tick: has every running guest reach a checkpoint at its next loop or call.
        area: where memory is spilled; None only where the rules do not spill.
        busy_leases: how many running leases keep the machine busy.
        idle_s: how long the machine's cores were idle so far, all together; None if nobody knows.
        resident: the host's resident bytes now but for what compiles, None where they cannot be
            read.
        clock: seconds that never go back.
        observer: is told of all that happens.
        trim: has freed memory go back to the system that allocators keep.
    """

    def __init__(
        self,
        budget: Budget,
        rules: Rules,
        tick: Callable[[], None],
        *,
        area: "SpillArea | None" = None,
        busy_leases: int = 1,
        idle_s: Callable[[], float | None] = cores.idle_s,
        resident: Callable[[], int | None] = host_memory.resident_bytes,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
        trim: Callable[[], None] = host_memory.trim,
    ) -> None:
        self._clock = clock
        self._use = HostUse(budget, resident, clock, trim)
        self._disk = SpillDisk(area)
        self._chronicle = Chronicle(clock, observer)
        self._enforcer = Enforcer(
            budget, rules, tick, busy_leases, idle_s, self._use, self._disk, self._chronicle
        )
        self._lock = self._enforcer.lock

    def measure_baseline(self) -> int | None:
        """Take what the process holds now for what it needs without any lease.

        Returns:
            Its bytes; None if they cannot be read, and are counted as none.
        """
        with self._lock:
            return self._use.take_baseline()

    def expect(self, added_bytes: int, for_one_bytes: int = 0) -> None:
        """The host will hold so much more beside its leases' memories, or less.

        Args:
            for_one_bytes: how much of all that was expected so far a single lease would need.
        """
        with self._lock:
            self._use.expect(added_bytes, for_one_bytes)

    def register(
        self,
        tenant: Tenant,
        number: int,
        priority: int = 0,
        idle_bytes: int = 0,
        fixed_bytes: int = 0,
    ) -> Place:
        """A place for a lease that is about to begin, in a store that was idle with `idle_bytes`.

        Its number is unique among them, and tells who came first. `fixed_bytes` is what it will
        hold that no spill takes out of memory.
        """
        standing = Standing(number, priority, idle_bytes, fixed_bytes=fixed_bytes)
        with self._lock:
            seat = Seat(standing, tenant)
            self._enforcer.seats.add(seat)
            self._use.lease_idle(idle_bytes)
            self._chronicle.registered(seat)
        return Place(self._enforcer, seat)

    def has_room_for(self, needed_bytes: int) -> bool:
        """Whether a lease that comes to hold so much fits beside those that run now."""
        with self._lock:
            return self._enforcer.is_calm and needed_bytes <= self._use.room_bytes

    @property
    def holds_anybody_back(self) -> bool:
        """Whether a lease waits for memory, before which no later one would get any."""
        return self._enforcer.seats.holds_anybody_back

    def compile_room(self, at_once: int, most_bytes: int) -> CompileRoom:
        """Where capsules get the memory to be compiled with: see `CompileRoom`."""
        return CompileRoom(self._enforcer, at_once, most_bytes)

    def reconcile(self) -> None:
        """See what changes without any growth: resident size, disk room, guests that sleep."""
        with self._lock:
            if not self._enforcer.is_calm:
                self._enforcer.look_for_sleepers(self._clock())
            self._enforcer.look()
            self._enforcer.look_at_cores()
            self._chronicle.sampled(self.pressure)
            self._enforcer.settle()

    # Stores that are kept without a lease

    def drop_idle_by(self, drop: Callable[[], None]) -> None:
        """Have `drop` called under pressure: it gives up all that no lease uses."""
        self._enforcer.drop_idle = drop

    def forget_idle(self, dropped_bytes: int) -> None:
        """Count that stores which no lease has were dropped, and held `dropped_bytes`."""
        with self._lock:
            self._use.drop_idle(dropped_bytes)

    # What is to be seen of it

    @property
    def pressure(self) -> Pressure:
        """The host's now, its resident size as of the last look."""
        return self._use.pressure

    @property
    def is_calm(self) -> bool:
        """Whether nobody has to be held back, and nothing is to be decided."""
        return self._enforcer.is_calm

    @property
    def on_disk_bytes(self) -> int:
        """What the files of spilled memory take now: each stays as long as its memory does."""
        return self._disk.used_bytes

    @property
    def spill_failure(self) -> AtectlError | None:
        """Why memory could last not be spilled; None if it always could."""
        return self._disk.failure

    @property
    def now_s(self) -> float:
        """Seconds since the arbiter began, as `Ruling.at_s`."""
        return self._chronicle.now_s

    def latest_rulings(self) -> tuple[Ruling, ...]:
        """The latest decisions that were carried out, the oldest first."""
        with self._lock:
            return self._chronicle.latest

    def view(self) -> HostView:
        """The host as it is decided upon, its resident size and disk room as of the last look."""
        with self._lock:
            return self._enforcer.view()
