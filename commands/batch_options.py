"""What can be asked of `atectl batch`: its options, as given."""

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from .option_table import Option
from .output import Output


class Backpressure(StrEnum):
    """What is done to leases under pressure."""

    both = "both"
    park = "park"
    spill = "spill"
    none = "none"


class PolicyName(StrEnum):
    """Whom it is done to first."""

    largest = "largest"
    priority = "priority"
    park_first = "park-first"
    none = "none"


HOST_OPTIONS = (
    Option(
        "--jobs",
        "N",
        "How many run at once; as many as cores.",
        short="-j",
        lowest=1,
        highest=4096,
    ),
    Option("--limit", "SIZE", "Most memory of this whole process; 0.9 of the machine's."),
    Option("--soft", "FRACTION", "Share of the limit to hold back at; 0.8."),
    Option("--resume", "FRACTION", "Share of the limit to go on below; 0.875 of soft."),
    Option(
        "--backpressure",
        "",
        "What is done to leases above soft; both.",
        choices=tuple(Backpressure),
    ),
    Option(
        "--policy",
        "",
        "Whom it is done to; else as the backpressure says.",
        choices=tuple(PolicyName),
    ),
    Option("--spill-dir", "DIR", "Where memory is spilled, on a real disk; /var/tmp."),
    Option("--spill-cap", "SIZE", "Most that may be spilled; what the disk has."),
)
"""The options that stand over `[host]` of a budget file; `budget check` has them too."""


class HostOptions(NamedTuple):
    """`HOST_OPTIONS` as given; None where not."""

    jobs: int | None = None
    limit: str | None = None
    soft: float | None = None
    resume: float | None = None
    backpressure: Backpressure | None = None
    policy: PolicyName | None = None
    spill_dir: str | None = None
    spill_cap: str | None = None


class BatchRequest(NamedTuple):
    """One command line of `atectl batch`. `live` None: where there is a terminal for it."""

    source: str
    options: HostOptions
    pool: int
    fails_fast: bool
    resume_from: Path | None
    grace: str
    trace: Path | None
    chart: Path | None
    ledger: str | None
    live: bool | None
    uses_cache: bool
    output: Output
