"""How a batch runs."""

from pathlib import Path
from typing import Literal, NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.chronicle import Observer
from atectl.arbitration.policies import Rules
from atectl.batch.reserved import Reserved
from atectl.system.walls.amounts import DEFAULT_MAX_FDS

Isolation = Literal["none", "principal", "job"]
"""Which jobs never share a process: none of them, those of two principals, or any two."""


class BatchSettings(NamedTuple):
    """How a batch runs: `jobs` at once, under `budget`, by `rules`.

    `spill_dir` and `spill_cap_bytes` matter only if the rules spill; None is no cap. `pool` is how
    many idle stores are kept for each reactor and principal; 0 keeps none. With `fails_fast` no job
    starts after one that did not end by itself with status 0. `reserved` is what no job may have as
    a stream. `max_output_bytes` is what one job may write to the files of its stdout and stderr
    together; None is no limit. `isolation` says which jobs share
    no process; `cells` is how many processes for them are alive at once, and `max_fds` how many
    descriptors each may have open. `requeue` is how often a job is run again that was aborted for
    want of memory, and would fit alone. `capture_bytes` is how much is kept of each output of a job
    that goes to no file; None keeps the end of stderr of one that fails. `retries` is how often a
    job is run again that failed by itself. With `is_endless` jobs of many batches come, so that a
    file may be written again that an earlier one wrote.
    """

    jobs: int
    budget: Budget
    rules: Rules
    spill_dir: Path
    spill_cap_bytes: int | None = None
    pool: int = 0
    observer: Observer | None = None
    fails_fast: bool = False
    reserved: Reserved = Reserved()
    max_output_bytes: int | None = None
    isolation: Isolation = "principal"
    requeue: int = 0
    cells: int | None = None
    max_fds: int = DEFAULT_MAX_FDS
    capture_bytes: int | None = None
    retries: int = 0
    is_endless: bool = False
