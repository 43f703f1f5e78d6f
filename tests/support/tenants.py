"""Leases whose guest is a test, and the parts of an arbiter that decide about them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.chronicle import Chronicle, Observer
from atectl.arbitration.enforcer import Enforcer
from atectl.arbitration.measuring import HostUse
from atectl.arbitration.place import Place
from atectl.arbitration.policies import rules
from atectl.arbitration.seat import Seat
from atectl.arbitration.spill_disk import SpillDisk
from atectl.arbitration.standing import Standing
from atectl.arbitration.wording import Abortion
from atectl.errors import AtectlError
from atectl.spill.area import SpillArea

MIB = 1 << 20


class Tenant:
    """A lease whose guest is a test.

    Args:
        spilling: what spilling it does; returns the bytes that it frees.
    """

    def __init__(self, spilling: Callable[[], int] = lambda: 0) -> None:
        self.is_ending = False
        self.place: GuestPlace | None = None
        self.aborted: str | None = None
        self.spilled = self.stored_bytes = 0
        self.resident: int | None = None
        self.principal, self.label, self.capsule_name = "default", "", "test"
        self.is_spilling = False
        self._spilling = spilling

    def abort(self, abortion: Abortion) -> None:
        self.aborted, self.remedy = abortion.why, abortion.remedy
        self.may_fit = abortion.may_fit
        self.end()

    def end(self) -> None:
        self.is_ending = True
        if self.place is not None:
            self.place.wake()

    def spill(self, _area: SpillArea) -> None:
        self.is_spilling = True
        self.woken()

    def woken(self) -> None:
        if self.place is not None:
            self.place.changed.set()

    def write_out(self) -> tuple[int, AtectlError | None]:
        """Spill: what that freed, and why it failed if it did."""
        self.is_spilling = False
        self.spilled += 1
        try:
            freed_bytes = self._spilling()
        except AtectlError as error:
            return 0, error
        if self.place is not None:
            self.stored_bytes = self.place.seat.held_bytes
        return freed_bytes, None

    def resident_bytes(self) -> int | None:
        return self.resident


class GuestPlace:
    """The place of a lease whose guest waits on a thread of its own where that is held."""

    def __init__(self, place: Place, tenant: Tenant) -> None:
        self.changed = threading.Event()
        self.place = place
        self._tenant = tenant
        tenant.place = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)

    def admit(self, added_bytes: int) -> bool:
        return self._answer(self.place.admit(added_bytes))

    def checkpoint(self) -> bool:
        return self._answer(self.place.checkpoint())

    def _answer(self, answer: bool | None) -> bool:
        while answer is None:
            if self._tenant.is_spilling:
                answer = self.place.spilled(*self._tenant.write_out())
            else:
                self.changed.wait()
                self.changed.clear()
                answer = self.place.look()
        return answer


def seated(arbiter: Arbiter, tenant: Tenant, number: int, *more: int, **named: int) -> GuestPlace:
    """The place of a lease at an arbiter; the arguments are those of `Arbiter.register`."""
    return GuestPlace(arbiter.register(tenant, number, *more, **named), tenant)


class Table:
    """An enforcer with real parts under 100 MiB: soft at 80, resume below 70.

    Its resident size and its clock are set by the test.
    """

    def __init__(
        self, folder: Path, backpressure: str = "both", observer: Observer | None = None
    ) -> None:
        self.resident: int | None = 0
        self.now = 0.0
        self.ticks = 0
        budget = Budget(100 * MIB)
        self.enforcer = Enforcer(
            budget,
            rules(backpressure),
            self._tick,
            1,
            lambda: None,
            HostUse(budget, lambda: self.resident, lambda: self.now),
            SpillDisk(SpillArea(folder)),
            Chronicle(lambda: self.now, observer),
        )

    def _tick(self) -> None:
        self.ticks += 1

    def place(self, number: int, held_mib: int = 0, tenant: Tenant | None = None) -> GuestPlace:
        """The place of a new lease that holds so much and is charged for it."""
        enforcer = self.enforcer
        tenant = tenant or Tenant()
        seat = Seat(Standing(number, 0, held_mib * MIB), tenant)
        enforcer.seats.add(seat)
        enforcer.use.charge(held_mib * MIB)
        return GuestPlace(Place(enforcer, seat), tenant)

    def seat(self, number: int, held_mib: int = 0, tenant: Tenant | None = None) -> Seat:
        """The seat of such a lease."""
        return self.place(number, held_mib, tenant).place.seat

    @property
    def charged_mib(self) -> int:
        return self.enforcer.use.charged_bytes // MIB
