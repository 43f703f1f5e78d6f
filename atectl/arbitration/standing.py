"""Where a lease stands at its arbiter, and every way in which that changes.

    runs ──ask──▶ asks ──park──▶ waits in its request ─┐
    runs ──park──▶ is told to ──reach_tick──▶ parked ──┴─spill──▶ is told to ──spilled──▶ spilled

`go_on` leads back to running from wherever a lease is held: a growth it asked for is granted
then, and memory that was spilled is charged again in full. `abort` may meet it anywhere.

A standing never changes: each transition returns the next one. The arbiter, `decide`, the
simulation and the check of traces all go by these, and none has a transition of its own.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class Phase(StrEnum):
    """Where a lease is."""

    RUNNING = "running"
    """On its thread; with `asked_bytes` it has just asked to grow and has no answer yet."""
    PARKED = "parked"
    """Held at a tick; with `asked_bytes`, inside its growth request. Its memory is resident."""
    SPILLED = "spilled"
    """Held, and its memory is on disk: until it goes on it is charged only what cannot go there."""


# Each time anything is decided, all leases are asked about their phase, and looking a member up in
# its enum takes ten times as long as a name of the module.
_RUNNING, _PARKED, _SPILLED = Phase.RUNNING, Phase.PARKED, Phase.SPILLED


class IllegalTransition(Exception):
    """A lease was to do what nobody can from where it stands: a bug, or a trace that lies."""


class Standing(NamedTuple):
    """One unfinished lease at one moment."""

    number: int
    """Its place in the order of registration; unique."""
    priority: int
    """Higher is more important; 0 unless said."""
    held_bytes: int
    """Memory granted so far, all its memories together, and the state of its instances."""
    asked_bytes: int = 0
    """The growth it waits for inside its request; 0 if it waits for none."""
    phase: Phase = _RUNNING
    """Where it is."""
    spillable: bool = False
    """It is held, and its memory may be written out: not again once that has failed."""
    parking: bool = False
    """It was told to park and has not reached a tick yet."""
    spilling: bool = False
    """It was told to spill and has not finished; it is charged until it has."""
    aborting: bool = False
    """It was told to end and has not yet; it is charged until it has."""
    stalled: bool = False
    """It reaches no tick (a long host call): it cannot park, and nobody is to wait for it."""
    stored_bytes: int = 0
    """What of its memory is on disk already, and takes no more room there."""
    fixed_bytes: int = 0
    """What of it is or will be the state of its instances, which no spill takes out of memory."""

    # What is asked of a standing

    @property
    def is_possible(self) -> bool:
        """Whether transitions can lead here; of what was read from a file that is not certain."""
        is_held_and_yet_to_be = self.is_held and self.parking
        return not is_held_and_yet_to_be and (self.phase is _PARKED or not self.spilling)

    @property
    def is_held(self) -> bool:
        """Whether its guest stands still at a safe point: in a growth request, or at a tick."""
        return self.asked_bytes > 0 or self.phase is not _RUNNING

    @property
    def may_go_on(self) -> bool:
        """Whether it is held and can be let go on now."""
        return not (self.spilling or self.aborting) and self.is_held

    @property
    def awaits_first_answer(self) -> bool:
        """Whether it has asked to grow, and nobody has decided on that yet."""
        return self.asked_bytes > 0 and self.phase is _RUNNING and not self.aborting

    @property
    def makes_progress(self) -> bool:
        """Whether its guest runs and goes on running, as far as anybody knows."""
        return not (self.parking or self.aborting or self.stalled or self.is_held)

    @property
    def is_held_back(self) -> bool:
        """Whether it is held, or will be at its next tick."""
        return self.is_held or self.parking

    @property
    def may_overtake(self) -> bool:
        """Whether it may grow while others are held, if that fits.

        Those that are held did not fit when they were last decided on. A lease that has memory
        already may use what is left; one that has none yet waits its turn behind them.
        """
        return self.held_bytes > 0 and not self.parking

    @property
    def charged_bytes(self) -> int:
        """What it counts for in the pressure."""
        held_bytes = self.held_bytes
        return min(held_bytes, self.fixed_bytes) if self.phase is _SPILLED else held_bytes

    @property
    def spillable_bytes(self) -> int:
        """What of it can go to disk."""
        return max(self.held_bytes - self.fixed_bytes, 0)

    @property
    def return_bytes(self) -> int:
        """What is charged more once it goes on: its growth, and what comes back from disk."""
        return self.asked_bytes + self.held_bytes - self.charged_bytes

    @property
    def can_be_spilled(self) -> bool:
        """Whether it can be told to spill now, and has anything to spill."""
        return (
            self.phase is _PARKED
            and self.spillable
            and not (self.spilling or self.aborting)
            and self.held_bytes > self.fixed_bytes
        )

    @property
    def away_bytes(self) -> int:
        """What of its memory lies on disk, and is to be read when it comes back."""
        return self.stored_bytes if self.phase is _SPILLED and not self.aborting else 0

    @property
    def room_needed_bytes(self) -> int:
        """The most that spilling it takes of the disk."""
        return max(self.spillable_bytes - self.stored_bytes, 0)

    @property
    def is_changing(self) -> bool:
        """Whether it was told to do something that it is about to have done."""
        return self.spilling or ((self.parking or self.aborting) and not self.stalled)

    @property
    def relief_bytes(self) -> int:
        """What it is about to give back, and need not be taken from anybody else."""
        if self.aborting and not self.stalled:
            return self.charged_bytes
        return self.spillable_bytes if self.spilling else 0

    # Growing

    def ask(self, asked_bytes: int) -> Self:
        """It asks to grow, and stands inside its request: whoever was to park is held by that."""
        self._require(not self.is_held and asked_bytes > 0, "ask to grow")
        return self._replace(asked_bytes=asked_bytes, spillable=True, parking=False, stalled=False)

    def go_on(self) -> Self:
        """It is let go on: with the growth it asked for, and with its memory back from disk."""
        self._require(self.may_go_on, "go on")
        return self._replace(
            held_bytes=self.held_bytes + self.asked_bytes,
            asked_bytes=0,
            phase=Phase.RUNNING,
            spillable=False,
        )

    def give_back(self, freed_bytes: int) -> Self:
        """It holds `freed_bytes` less."""
        self._require(0 <= freed_bytes <= self.held_bytes, f"give back {freed_bytes} bytes")
        return self._replace(held_bytes=self.held_bytes - freed_bytes)

    # Parking

    def park(self) -> Self:
        """It is told to park: it waits inside its growth request, or is held at its next tick."""
        self._require(self.phase is _RUNNING and not self.parking, "be told to park")
        return (
            self._replace(phase=Phase.PARKED) if self.asked_bytes else self._replace(parking=True)
        )

    def reach_tick(self) -> Self:
        """It was told to park and has reached its tick: it is held there."""
        self._require(self.parking and not self.is_held, "be parked at a tick")
        return self._replace(phase=Phase.PARKED, spillable=True, parking=False, stalled=False)

    # Spilling

    def spill(self) -> Self:
        """It is told to write its memory to disk."""
        self._require(self.can_be_spilled, "be told to spill")
        return self._replace(spilling=True)

    def spilled(self, stored_bytes: int) -> Self:
        """It has: `stored_bytes` lie on disk, and are charged no more."""
        self._require(self.spilling, "have spilled")
        return self._replace(phase=Phase.SPILLED, spilling=False, stored_bytes=stored_bytes)

    def spill_failed(self, stored_bytes: int) -> Self:
        """It could not: its memory is where it was, though `stored_bytes` may be on disk, too."""
        self._require(self.spilling, "have failed to spill")
        return self._replace(spilling=False, spillable=False, stored_bytes=stored_bytes)

    def may_spill_again(self) -> Self:
        """Spilling it failed, and the disk has more room by now."""
        self._require(self.phase is _PARKED and not self.spilling, "spill again")
        return self._replace(spillable=True)

    # Sleeping

    def fall_asleep(self) -> Self:
        """Its guest has reached no tick for long."""
        return self._replace(stalled=True)

    def wake_up(self) -> Self:
        """Its guest has been heard of again."""
        return self._replace(stalled=False)

    # Ending

    def abort(self) -> Self:
        """It is told to end."""
        self._require(not self.aborting, "be told to end twice")
        return self._replace(aborting=True)

    def turn_away(self) -> Self:
        """It was told to end where it is held, and leaves there with nothing granted.

        Spilled memory stays on disk, and is charged no more: nobody is to use it again.
        """
        self._require(self.is_held, "be turned away")
        return self._replace(asked_bytes=0, spillable=False, spilling=False)

    def leave(self) -> Self:
        """It has ended, and holds nothing."""
        return self._replace(held_bytes=0, asked_bytes=0)

    # Counted or seen elsewhere

    def holding(self, held_bytes: int) -> Self:
        """This standing with other `held_bytes`: a seat counts these apart from the rest."""
        return self._replace(held_bytes=held_bytes)

    def seen_as_parked(self) -> Self:
        """This standing as a policy sees it when a lease is chosen by its memory alone."""
        return self._replace(phase=Phase.PARKED)

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise IllegalTransition(f"lease {self.number} cannot {what}: {self}")
