"""What can be asked of `atectl batch`: its options, as given."""

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

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


class HostOptions(NamedTuple):
    """The options that stand over `[host]` of a budget file, as given; None where not."""

    jobs: int | None = None
    limit: str | None = None
    soft: float | None = None
    resume: float | None = None
    backpressure: Backpressure | None = None
    policy: PolicyName | None = None
    spill_dir: Path | None = None
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
