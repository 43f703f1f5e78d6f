"""How a host that runs many guests keeps them apart, and what each may write: for who has one.

`batch` reads them by its own table, so nothing here may import Typer.
"""

from typing import get_args

from atectl.accounting import DEFAULT_JOB_OUTPUT_BYTES
from atectl.batch.settings import Isolation
from atectl.errors import UsageError
from atectl.system.walls.amounts import DEFAULT_MAX_FDS
from atectl.units import format_size, parse_size

from .table import Option

MAX_CELLS, MAX_FDS_AT_MOST = 4096, 1 << 20

DEFAULT_REQUEUE = 2
"""How often a job is run again that the arbiter ended."""

POOL = Option(
    "--pool",
    "N",
    "How many idle instances are kept for each reactor and principal. The next job finds in "
    "globals and memory what the last one left.",
    "0",
    lowest=0,
)

MAX_OUTPUT = Option(
    "--max-output",
    "SIZE",
    "Most that a job may write to files, by its stdout and stderr; `none` lifts it.",
    format_size(DEFAULT_JOB_OUTPUT_BYTES),
)

ISOLATE = Option(
    "--isolate",
    "",
    "Which jobs never share a process: none of them, those of two principals, or any two.",
    "principal",
    choices=get_args(Isolation),
)

CELLS = Option(
    "--cells",
    "N",
    "Most processes for isolated jobs that are alive at once.",
    usually="as many as jobs, up to 32",
    lowest=1,
    highest=MAX_CELLS,
)

MAX_FDS = Option(
    "--max-fds",
    "N",
    "Most descriptors of a process for isolated jobs.",
    str(DEFAULT_MAX_FDS),
    lowest=16,
    highest=MAX_FDS_AT_MOST,
)

REQUEUE = Option(
    "--requeue",
    "N",
    "How often a job is run again that was ended for want of memory, and would fit alone.",
    str(DEFAULT_REQUEUE),
    lowest=0,
)

CAPTURE = Option(
    "--capture",
    "SIZE",
    "Keep the last SIZE that each job writes to stdout and to stderr, in its result.",
)

GRACE = Option("--grace", "DURATION", "Time to finish when terminated; none or 0 for none.", "5s")


def read_capture(text: str) -> int:
    """How much to keep of each output.

    Raises:
        UsageError: it is no size, or too large (exit 2).
    """
    from atectl.batch.cells.outputs import MAX_CAPTURE_BYTES

    size_bytes = parse_size(text)
    if not 0 < size_bytes <= MAX_CAPTURE_BYTES:
        raise UsageError(
            f"--capture {text} is not from 1 byte to {format_size(MAX_CAPTURE_BYTES)}",
            remedy="name files for larger outputs: stdout and stderr of a job",
        )
    return size_bytes
