"""What simulated leases do, what they run on, and how far each of them has come."""

from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.standing import Phase, Standing


class Step(NamedTuple):
    """A lease works for `work_s` seconds of one core, then asks for `grow_bytes` more.

    With `grow_bytes` 0 it goes on to its next step. In a host call it needs no core, sees no
    tick, and so cannot be parked.
    """

    work_s: float
    grow_bytes: int = 0
    in_host_call: bool = False


class Script(NamedTuple):
    """All that one lease does, from `ready_s` on. `number` 0 is its place among the scripts, and
    `fixed_bytes` what it holds that no spill takes out of memory."""

    steps: tuple[Step, ...]
    priority: int = 0
    ready_s: float = 0.0
    number: int = 0
    fixed_bytes: int = 0


class Machine(NamedTuple):
    """What the leases run on.

    `jobs` is how many run at once at most. `uncharged` is resident memory that nobody is charged
    for, as (from when, bytes) in the order of time. `sees_resident` is no where the resident size
    cannot be read.
    """

    budget: Budget
    baseline_bytes: int
    cores: int
    jobs: int
    spill_room_bytes: int
    spill_bytes_per_s: float
    uncharged: tuple[tuple[float, int], ...] = ()
    sees_resident: bool = True


class Actor:
    """A lease that has begun: where it stands, and how far it is in its script.

    `parks_at`, `spilled_at` and `ends_at` are when it will have done what it was told to do; None
    if it was not. It touches what it holds little by little over the time of its step.
    """

    def __init__(self, number: int, script: Script) -> None:
        self.standing = Standing(number, script.priority, 0, fixed_bytes=script.fixed_bytes)
        self.steps = list(reversed(script.steps))
        self.step = Step(0.0)
        self.left_s = self.work_s = 0.0
        self.untouched_bytes = 0  # of what it holds, as its step began
        self.parks_at: float | None = None
        self.spilled_at: float | None = None
        self.ends_at: float | None = None

    @property
    def number(self) -> int:
        return self.standing.number

    @property
    def resident_bytes(self) -> int:
        if self.standing.phase is Phase.SPILLED:
            return self.standing.charged_bytes
        share = self.left_s / self.work_s if self.work_s > 0 else 1.0
        return self.standing.held_bytes - int(self.untouched_bytes * min(max(share, 0.0), 1.0))

    @property
    def to_be_stored_bytes(self) -> int:
        """What it takes of the disk once it is spilled: its file never shrinks."""
        return max(self.standing.spillable_bytes, self.standing.stored_bytes)

    @property
    def on_disk_bytes(self) -> int:
        """What of it lies on disk, or is being written there."""
        return self.to_be_stored_bytes if self.standing.spilling else self.standing.stored_bytes

    @property
    def sleeps(self) -> bool:
        return self.step.in_host_call and not self.standing.is_held

    @property
    def needs_core(self) -> bool:
        return not (self.standing.is_held or self.sleeps)

    def begin(self, step: Step) -> None:
        """Have it touch what it holds over the time of `step`, and ask again after it."""
        self._count_untouched()
        self.step = step
        self.left_s = self.work_s = step.work_s
        standing = self.standing
        self.standing = standing.fall_asleep() if step.in_host_call else standing.wake_up()

    def ask(self) -> None:
        """Have it ask for the growth of its step."""
        self.standing = self.standing.ask(self.step.grow_bytes)
        self.parks_at = None

    def go_on(self) -> None:
        """Let it go on from where it is held, with the growth it asked for."""
        asked_bytes = self.standing.asked_bytes
        if asked_bytes:
            self._count_untouched()
            self.untouched_bytes += asked_bytes
        self.standing = self.standing.go_on()

    def park(self, tick_s: float) -> None:
        """Tell it to park; if it runs, it reaches its tick at `tick_s`."""
        self.standing = self.standing.park()
        self.parks_at = tick_s if self.standing.parking else None

    def reach_tick(self) -> None:
        self.standing = self.standing.reach_tick()
        self.parks_at = None

    def spill(self, done_s: float) -> None:
        """Tell it to spill, which it will have done at `done_s`."""
        self.standing = self.standing.spill()
        self.spilled_at = done_s

    def end_spilling(self) -> None:
        """All that it holds is on disk, and comes back from there as it is used."""
        self.standing = self.standing.spilled(self.to_be_stored_bytes)
        self.spilled_at = None
        self.untouched_bytes, self.work_s = self.standing.spillable_bytes, self.left_s

    def abort(self, ends_s: float) -> None:
        """Tell it to end, which it will at `ends_s`."""
        self.standing = self.standing.abort()
        self.ends_at = ends_s

    def _count_untouched(self) -> None:
        """Count from now on what is yet to be touched."""
        self.untouched_bytes = self.standing.held_bytes - self.resident_bytes
        self.work_s = self.left_s
