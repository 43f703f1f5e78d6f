"""Options that several commands of `atectl locks` have, and how they are read."""

from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from atectl.errors import BadDuration
from atectl.locks.heartbeat import DEFAULT_TTL_S
from atectl.locks.keys import DEFAULT_PREFIX
from atectl.locks.listing import Probe
from atectl.locks.verdicts import NEED_PROBE, STALE, Verdict, probe_s
from atectl.units import duration_text, parse_duration

from ..options.signature import declared
from ..options.table import Option

NO_PROBE = "none"

MIN_TTL_S, MAX_TTL_S = 0.1, 86_400.0

ActorArgument = Annotated[
    str, typer.Argument(metavar="ACTOR", help="ATESPACE/NAME, NAME, or the whole key of a lock.")
]
ProbeOption = Annotated[
    str | None,
    typer.Option(
        "--probe",
        metavar="DURATION",
        help="Time between two looks, which tell live holders from dead ones; or `none`.",
    ),
]

DEFAULT_TTL = duration_text(DEFAULT_TTL_S)

PREFIX = Option("--lock-prefix", "TEXT", "What the keys of locks begin with.")
PrefixOption = Annotated[str, declared(PREFIX)]


class LockOptions(NamedTuple):
    """Which keys are locks, and the TTL by which they are judged, as given."""

    prefix: Annotated[str, PREFIX] = DEFAULT_PREFIX
    ttl: Annotated[
        str, Option("--lock-ttl", "DURATION", "The TTL that holders give their locks.")
    ] = DEFAULT_TTL

    @property
    def ttl_s(self) -> float:
        """The TTL to judge by, in seconds.

        Raises:
            BadDuration: it is no duration, or not from 100 ms to a day (exit 2).
        """
        ttl_s = parse_duration(self.ttl)
        if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
            raise BadDuration(f"--lock-ttl {self.ttl} is not from 100ms to a day")
        return ttl_s


class FailOn(StrEnum):
    """What `--fail-on` takes: a verdict, or `stale` for all verdicts that `--stale` lists."""

    stale = "stale"
    renewing = "renewing"
    held = "held"
    finishing = "finishing"
    expiring = "expiring"
    stuck = "stuck"
    foreign = "foreign"
    stranded = "stranded"

    @property
    def verdicts(self) -> frozenset[Verdict]:
        return STALE if self is FailOn.stale else frozenset({Verdict(self.value)})

    @property
    def needs_probe(self) -> bool:
        return bool(self.verdicts & NEED_PROBE)


def parse_probe(text: str | None, lock_ttl_s: float, *, is_wanted: bool) -> float | None:
    """Seconds between two looks; None for one look.

    Args:
        text: the value of `--probe`; None if it was not given.
        lock_ttl_s: the TTL to judge by, in seconds.
        is_wanted: whether to look twice if `--probe` was not given.

    Raises:
        BadDuration: it is no duration (exit 2).
    """
    if text == NO_PROBE:
        return None
    if text is not None:
        return parse_duration(text)
    return probe_s(lock_ttl_s) if is_wanted else None


def counted_down(seconds: float | None, note: str = "") -> Probe | None:
    """A second look after so many seconds. A terminal shows the seconds that are left, and a note.

    None stands for no second look.
    """

    def let_pass(seconds: float) -> None:
        from ..terminal.countdown import count_down

        count_down(seconds, lambda left: f"looking again in {left}s{note}")

    return None if seconds is None else Probe(seconds, let_pass)
