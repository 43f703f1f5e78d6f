"""What is bounded when somebody else's capsule is loaded and run, by what, and what is not."""

from typing import NamedTuple

from atectl.accounting import (
    DEFAULT_DEADLINE_S,
    DEFAULT_JOB_OUTPUT_BYTES,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_STACK_BYTES,
    TABLE_BYTES_PER_ELEMENT,
    UNCHARGED_STATE_BYTES,
)
from atectl.capsule.encodings import MAX_DEPTH, MAX_RATIO
from atectl.capsule.limits import (
    DEFAULT_COMPILE_DEADLINE_S,
    DEFAULT_COMPILE_MEMORY_BYTES,
    DEFAULT_MAX_CAPSULE_BYTES,
)
from atectl.capsule.outline import MAX_INSTANCES
from atectl.units import duration_text, format_size


class Bound(NamedTuple):
    """One thing that a capsule may take."""

    what: str
    """What it is."""
    bound: str | None
    """How it is bounded; null if it is not."""
    set_by: str | None
    """The option that sets it; null where none does."""


class BoundList(NamedTuple):
    """What is bounded, and what is not."""

    bounds: tuple[Bound, ...]
    """Those of loading first, what is not bounded last."""


def all_bounds() -> BoundList:
    """Every bound, with its default."""
    size, compiled = DEFAULT_MAX_CAPSULE_BYTES, DEFAULT_COMPILE_MEMORY_BYTES
    compile_time = duration_text(DEFAULT_COMPILE_DEADLINE_S)
    return BoundList(
        (
            Bound("the file of a capsule", format_size(size), "--max-capsule"),
            Bound(
                "what it decodes to",
                f"the same, {MAX_RATIO} times its file, {MAX_DEPTH} encodings",
                "--max-capsule",
            ),
            Bound(
                "memory to compile it",
                f"{format_size(compiled)}, or what the host's limit leaves",
                "--compile-mem",
            ),
            Bound("time to compile it", compile_time, "--compile-deadline"),
            Bound("instances within a component", f"{MAX_INSTANCES:,}", None),
            Bound(
                "guest memory",
                f"{format_size(DEFAULT_MEMORY_BYTES)}: all memories and the GC heap together",
                "--max-mem",
            ),
            Bound(
                "tables",
                f"an element for each {TABLE_BYTES_PER_ELEMENT} bytes of that quota",
                "--max-mem",
            ),
            Bound(
                "the state of its instances, such as globals, functions and element segments",
                f"counts to that quota, but for the first {format_size(UNCHARGED_STATE_BYTES)}",
                "--max-mem",
            ),
            Bound("the call stack", format_size(DEFAULT_STACK_BYTES), "--max-stack"),
            Bound(
                "time of a run, compiling included", duration_text(DEFAULT_DEADLINE_S), "--deadline"
            ),
            Bound("instructions", "none unless fuel is given", "--fuel"),
            # What the engine sets; measured by the process's own size.
            Bound(
                "what the host holds for one call",
                "64MiB of random bytes, 128MiB copied from the guest",
                None,
            ),
            Bound("handles of a component", "100,000: about 24MiB in the host", None),
            Bound("file descriptors", "those of the process, less some kept for the host", None),
            Bound("network", "none is given", None),
            Bound(
                "what a guest prints",
                f"{format_size(DEFAULT_JOB_OUTPUT_BYTES)} for a job of a batch; none for a run",
                "--max-output",
            ),
            _unbounded("listings of folders that a component keeps open"),
            _unbounded("what a guest writes to folders that it is given"),
        )
    )


def _unbounded(what: str) -> Bound:
    return Bound(what, None, None)
