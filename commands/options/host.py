"""The options for a host, which override the table `[host]` of a budget file.

`batch` reads them by its own table, so nothing here may import Typer.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from atectl.accounting import DEFAULT_RESUME, DEFAULT_SOFT
from atectl.arbitration.policies import BACKPRESSURES, POLICY_NAMES
from atectl.budget.file import MAX_JOBS, HostSettings
from atectl.errors import UsageError
from atectl.records.readers import fraction
from atectl.records.reading import Fault
from atectl.system.ceilings import DEFAULT_SHARE
from atectl.units import parse_size

from .table import Option

_USUAL = HostSettings()


_A_SHARE = "write a number from 0.0001 to 1"
_OR_ANOTHER = f"{_A_SHARE}; a batch goes on from earlier results with --resume-from FILE"


def _read_share(name: str, text: str, remedy: str = _A_SHARE) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"{name} {text!r} is no fraction of the limit",
            remedy=remedy,
        ) from None


class HostOptions(NamedTuple):
    """The options for a host, as given; None for what was not given."""

    limit: Annotated[
        str | None,
        Option(
            "--limit",
            "SIZE",
            "Most memory of all processes of the host together.",
            usually=f"{DEFAULT_SHARE:g} of the machine's",
        ),
    ] = None
    soft: Annotated[
        float | None,
        Option(
            "--soft",
            "FRACTION",
            "Share of the limit from which leases are held back.",
            usually=f"{_USUAL.soft:g}",
            reads=partial(_read_share, "--soft"),
        ),
    ] = None
    resume: Annotated[
        float | None,
        Option(
            "--resume",
            "FRACTION",
            "Share of the limit below which they go on.",
            usually=f"{DEFAULT_RESUME / DEFAULT_SOFT:g} of soft",
            reads=partial(_read_share, "--resume", remedy=_OR_ANOTHER),
        ),
    ] = None
    backpressure: Annotated[
        str | None,
        Option(
            "--backpressure",
            "",
            "What is done to leases above soft.",
            usually=_USUAL.backpressure,
            choices=BACKPRESSURES,
        ),
    ] = None
    policy: Annotated[
        str | None,
        Option(
            "--policy",
            "",
            "The policy that chooses these leases.",
            usually="as the backpressure says",
            choices=POLICY_NAMES,
        ),
    ] = None
    spill_dir: Annotated[
        str | None,
        Option(
            "--spill-dir",
            "DIR",
            "Where memory is spilled, on a real disk.",
            usually=str(_USUAL.spill_dir),
        ),
    ] = None
    spill_cap: Annotated[
        str | None,
        Option("--spill-cap", "SIZE", "Most to spill.", usually="what the disk has"),
    ] = None
    jobs: Annotated[
        int | None,
        Option(
            "--jobs",
            "N",
            "How many jobs run at once.",
            usually="as many as cores",
            short="-j",
            lowest=1,
            highest=MAX_JOBS,
            reads=int,
        ),
    ] = None


STDIN = "-"


def settle(host: HostSettings, options: HostOptions) -> HostSettings:
    """The settings of a host: those of the file, overridden by the options that were given.

    If neither gives a resume threshold, it follows a lower soft limit.

    Raises:
        BadSize, UsageError: an option cannot be used (exit 2).
    """
    readers: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "jobs": (options.jobs, int),
        "limit_bytes": (options.limit, parse_size),
        "soft": (options.soft, fraction.read),
        "resume": (options.resume, fraction.read),
        "backpressure": (options.backpressure, str),
        "policy": (options.policy, str),
        "spill_dir": (options.spill_dir, Path),
        "spill_cap_bytes": (options.spill_cap, parse_size),
    }
    try:
        given = {name: read(value) for name, (value, read) in readers.items() if value is not None}
    except Fault as fault:
        raise UsageError(str(fault), remedy=fault.remedy) from None
    settled = host._replace(**given)
    if settled.resume_share > settled.soft:
        raise UsageError(
            f"the resume threshold of {settled.resume_share:g} is above the soft limit of "
            f"{settled.soft:g}",
            remedy="pass both --soft and --resume, the second not above the first",
        )
    return settled
