"""How much memory one host uses, and how much more may be granted at once."""

from collections.abc import Callable, Iterable
from typing import Protocol

from atectl.accounting import Budget, Pressure
from atectl.system import memory as host_memory

_MEASURED_EVERY_S = 0.25
"""Between two measurements of how much of the guests' memories is resident, at least."""

_MEASURING_SHARE = 0.05
"""Of the time, at most: what one measurement takes grows with the guests' number and size."""

_NEVER = float("-inf")


class Measurable(Protocol):
    """A lease whose memory can be measured."""

    def resident_bytes(self) -> int | None:
        """What of its memory is resident; None where the system does not tell."""
        ...


class HostUse:
    """The memory that one host uses. Charges count at once; what is resident is as it was when
    last read.

    What compiles does so in processes of its own, which are no part of any baseline.

    Args:
        budget: what the host may use.
        resident: its resident bytes now but for what compiles, None where they cannot be read.
        clock: seconds that never go back.
        trim: has freed memory go back to the system that allocators keep.
    """

    __slots__ = (
        "_beside_bytes", "_budget", "_clock", "_expected_bytes", "_for_one_bytes",
        "_least_baseline_bytes", "_measure_from", "_measured_bytes", "_read_resident", "_trim",
        "baseline_bytes", "charged_bytes", "compiling_bytes", "idle_bytes", "resident_bytes",
        "room_bytes",
    )  # fmt: skip

    def __init__(
        self,
        budget: Budget,
        resident: Callable[[], int | None],
        clock: Callable[[], float],
        trim: Callable[[], None] = host_memory.trim,
    ) -> None:
        self._budget = budget
        self._read_resident = resident
        self._trim = trim
        self._clock = clock
        self._least_baseline_bytes = 0  # what there was before any lease
        self._expected_bytes = 0
        self._for_one_bytes = 0  # of what is expected
        self._beside_bytes = 0  # beside the leases' memories, at the last measurement
        self._measured_bytes = 0  # what of that has lasted
        self._measure_from = _NEVER
        self.baseline_bytes = 0
        """What the process takes beside its leases' memories."""
        self.charged_bytes = 0
        """What its leases are charged, and what idle stores hold."""
        self.idle_bytes = 0
        """What is held by stores that no lease has."""
        self.compiling_bytes = 0
        """What the processes that compile may come to hold."""
        self.resident_bytes: int | None = None
        self.room_bytes = 0
        """The largest growth that fits below soft. It is kept, and worked out anew only when
        something else than a growth changes: growths are many, and have to be fast."""
        self._work_out_room()

    @property
    def pressure(self) -> Pressure:
        return Pressure(
            self.resident_bytes,
            self.baseline_bytes,
            self.charged_bytes,
            self.compiling_bytes,
            self.baseline_of_others_bytes,
        )

    @property
    def least_for_one_bytes(self) -> int:
        """What there was before any lease, and is expected for one: the baseline of a lease that
        has the host to itself is no less."""
        return self._least_baseline_bytes + self._for_one_bytes

    @property
    def baseline_of_others_bytes(self) -> int:
        """The part of the baseline that may be gone once one lease has the host to itself.

        That is all that it has come to be since there were leases: how much of it stays is known
        only then.
        """
        is_for_one = self._expected_bytes <= self._for_one_bytes
        return 0 if is_for_one else self.baseline_bytes - self.least_for_one_bytes

    def charge(self, added_bytes: int) -> None:
        """Count `added_bytes` more as granted, or less if they are negative."""
        self.charged_bytes += added_bytes
        if added_bytes >= 0:
            self.room_bytes -= added_bytes
        else:
            self._work_out_room()

    def keep_idle(self, kept_bytes: int) -> None:
        """Count `kept_bytes` more as held by stores that no lease has."""
        self.idle_bytes += kept_bytes
        self.charge(kept_bytes)

    def lease_idle(self, held_bytes: int) -> None:
        """Count that a lease has `held_bytes` now that were idle: it is charged for them."""
        self.idle_bytes -= held_bytes

    def drop_idle(self, dropped_bytes: int) -> None:
        """Count that `dropped_bytes` of what was idle are gone."""
        self.idle_bytes -= dropped_bytes
        self.charge(-dropped_bytes)

    def read(self) -> None:
        """Read the resident size anew."""
        self.resident_bytes = self._read_resident()
        self._work_out_room()

    def compile(self, compiling_bytes: int) -> None:
        """What compiles may come to hold so much, all together."""
        self.compiling_bytes = compiling_bytes
        self._work_out_room()

    def take_baseline(self) -> int | None:
        """Take what the host holds now for what it needs without any lease.

        Returns:
            Its bytes; None if they cannot be read, and are counted as none.
        """
        self.resident_bytes = self._read_resident()
        self._least_baseline_bytes = self.resident_bytes or 0
        self._work_out_baseline()
        return self.resident_bytes

    def expect(self, added_bytes: int, for_one_bytes: int = 0) -> None:
        """The host is about to hold so much more beside its leases' memories, or less.

        Without that, leases would be granted what the processes need in which they run.

        Args:
            for_one_bytes: how much of all that was expected so far a single lease would need.
        """
        self._expected_bytes += added_bytes
        self._for_one_bytes = for_one_bytes
        if added_bytes < 0:  # what was measured before is not there any more
            self._beside_bytes = max(self._beside_bytes + added_bytes, 0)
            self._measured_bytes = max(self._measured_bytes + added_bytes, 0)
        self._work_out_baseline()

    def look(self, leases: Iterable[Measurable]) -> None:
        """Read the resident size; from resume on, also measure the baseline now and then."""
        self.read()
        is_due = self._clock() >= self._measure_from
        if is_due and not self._budget.is_below_resume(self.pressure):
            self._measure_baseline(leases)

    def look_closely(self, leases: Iterable[Measurable]) -> None:
        """The resident size seems past the limit: make sure of it, and measure the baseline.

        What allocators keep though it was freed goes back to the system first.
        """
        self._trim()
        self.read()
        self._measure_baseline(leases)

    def _measure_baseline(self, leases: Iterable[Measurable]) -> None:
        """Find out what the process holds beside its leases' memories, which may have grown.

        Code that was mapped, heaps and stacks are resident beside granted memory that nobody
        has touched yet. If they were not counted apart, that memory would hide them until it is
        touched, and several grants together would pass the limit. Only what was there at two
        measurements counts: guests go on meanwhile, and a spike that has passed must not make
        anybody be aborted.
        """
        began = self._clock()
        measured = list(leases)
        before = [lease.resident_bytes() for lease in measured]
        resident = self._read_resident()
        after = [lease.resident_bytes() for lease in measured]
        ended = self._clock()
        self._measure_from = max(
            began + _MEASURED_EVERY_S, ended + (ended - began) / _MEASURING_SHARE
        )
        if resident is None or None in before or None in after:
            return
        of_leases = sum(max(a or 0, b or 0) for a, b in zip(before, after, strict=True))
        seen, self._beside_bytes = self._beside_bytes, resident - of_leases - self.idle_bytes
        self._measured_bytes = min(seen, self._beside_bytes)
        self._work_out_baseline()

    def _work_out_baseline(self) -> None:
        least_bytes = self._least_baseline_bytes + self._expected_bytes
        self.baseline_bytes = max(least_bytes, self._measured_bytes)
        self._work_out_room()

    def _work_out_room(self) -> None:
        self.room_bytes = self._budget.room_below_soft_bytes(self.pressure)
