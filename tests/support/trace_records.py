"""Traces of a simulated host, as fixtures/traces/ has them."""

from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.policies import rules
from atectl.trace.events import Event, Header, Trace
from atectl.trace.recording import event_line, header_line
from atectl.trace.simulation import simulate
from atectl.trace.workload import Machine, Script, Step

MIB = 1 << 20


class Recipe(NamedTuple):
    """What a trace is made of."""

    backpressure: str
    policy: str | None
    machine: Machine
    scripts: tuple[Script, ...]

    def events(self) -> tuple[Event, ...]:
        return simulate(self.machine, self.scripts, rules(self.backpressure, self.policy))

    def trace(self) -> Trace:
        return Trace(self.header(), self.events())

    def header(self) -> Header:
        machine = self.machine
        return Header(
            machine.budget,
            self.backpressure,
            self.policy,
            machine.jobs,
            busy_leases=min(machine.cores, machine.jobs),
            spill_room_bytes=machine.spill_room_bytes,
        )


def machine(limit: int, **more: object) -> Machine:
    made = Machine(
        Budget(limit * MIB),
        baseline_bytes=60 * MIB,
        cores=2,
        jobs=6,
        spill_room_bytes=8192 * MIB,
        spill_bytes_per_s=1000.0 * MIB,
    )
    return made._replace(**more)  # type: ignore[arg-type]


def growing(steps: int, step: int, work_s: float, priority: int = 0) -> Script:
    """Grows by `step` MiB at a time, and works on it."""
    grows = tuple(Step(work_s, step * MIB) for _ in range(steps))
    return Script((*grows, Step(work_s)), priority)


RECIPES = {
    # Six leases that come to 200 MiB each under half of what they need together.
    "spilled": Recipe(
        "both",
        None,
        machine(512),
        tuple(growing(8, 25, 0.1, priority=number % 3) for number in range(6)),
    ),
    # The same under less, and nothing may go to disk.
    "aborted": Recipe("park", None, machine(400), tuple(growing(8, 25, 0.1) for _ in range(6))),
    # Leases that never ask again, while the host itself swells and shrinks.
    "parked": Recipe(
        "both",
        None,
        machine(512, uncharged=((0.5, 420 * MIB), (1.5, 20 * MIB)), jobs=3),
        tuple(Script((Step(0.1, 40 * MIB), Step(2.0))) for _ in range(3)),
    ),
    # All fits: nothing is done to anybody.
    "calm": Recipe("both", None, machine(2048), tuple(growing(3, 25, 0.2) for _ in range(4))),
}


def lines(trace: Trace) -> str:
    return header_line(trace.header) + "".join(map(event_line, trace.events))
