"""What is bounded when somebody else's capsule is loaded and run, by what, and what is not."""

from collections.abc import Iterator
from typing import NamedTuple

from atectl.accounting import (
    DEFAULT_BOUNDS,
    DEFAULT_DEADLINE_S,
    DEFAULT_JOB_OUTPUT_BYTES,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_STACK_BYTES,
    TABLE_BYTES_PER_ELEMENT,
    UNCHARGED_CODE_BYTES,
    UNCHARGED_STATE_BYTES,
)
from atectl.capsule.encodings import MAX_DEPTH, MAX_RATIO
from atectl.capsule.limits import (
    DEFAULT_COMPILE_DEADLINE_S,
    DEFAULT_COMPILE_MEMORY_BYTES,
    DEFAULT_MAX_CAPSULE_BYTES,
)
from atectl.capsule.outline import MAX_INSTANCES
from atectl.system.walls.amounts import (
    DEFAULT_MAX_FDS,
    MAX_RESULT_PARTS,
    MAX_RESULT_TEXT_BYTES,
    PARTS_OF_OTHERS,
    SLACK_BYTES,
)
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
    return BoundList((*_of_loading(), *_of_the_guest(), *_of_the_host()))


def _of_loading() -> Iterator[Bound]:
    size, compiled = DEFAULT_MAX_CAPSULE_BYTES, DEFAULT_COMPILE_MEMORY_BYTES
    yield Bound("the file of a capsule", format_size(size), "--max-capsule")
    decoded = f"the same, {MAX_RATIO} times its file, {MAX_DEPTH} encodings"
    yield Bound("what it decodes to", decoded, "--max-capsule")
    memory = f"{format_size(compiled)}, or what the host's limit leaves"
    yield Bound("memory to compile it", memory, "--compile-mem")
    time = duration_text(DEFAULT_COMPILE_DEADLINE_S)
    yield Bound("time to compile it", time, "--compile-deadline")
    yield Bound("instances within a component", f"{MAX_INSTANCES:,}", None)


def _of_the_guest() -> Iterator[Bound]:
    memory = f"{format_size(DEFAULT_MEMORY_BYTES)}: all memories and the GC heap together"
    yield Bound("guest memory", memory, "--max-mem")
    elements = f"an element for each {TABLE_BYTES_PER_ELEMENT} bytes of that quota"
    yield Bound("tables", elements, "--max-mem")
    yield Bound(
        "the state of its instances, such as globals, functions and element segments",
        f"counts to that quota, but for the first {format_size(UNCHARGED_STATE_BYTES)}",
        "--max-mem",
    )
    yield Bound(
        "what its code takes of memory beside its file, such as for types and exports",
        f"counts to that quota, but for the first {format_size(UNCHARGED_CODE_BYTES)}",
        "--max-mem",
    )
    most = DEFAULT_BOUNDS
    yield Bound("instances that it makes", f"{most.instances:,}", "--max-instances")
    yield Bound("memories of all instances together", str(most.memories), "--max-memories")
    reserved = format_size(most.reserved_bytes)
    yield Bound("address space that these reserve", reserved, "--max-reserved")
    yield Bound("the call stack", format_size(DEFAULT_STACK_BYTES), "--max-stack")
    time = duration_text(DEFAULT_DEADLINE_S)
    yield Bound("time of a run, compiling included", time, "--deadline")
    yield Bound("instructions", "none unless fuel is given", "--fuel")


def _of_the_host() -> Iterator[Bound]:
    # The first two are the engine's; their sizes were measured.
    calls = "64MiB of random bytes, 128MiB copied from the guest"
    yield Bound("what the host holds for one call", calls, None)
    returned = (
        f"{format_size(MAX_RESULT_TEXT_BYTES)} of text; {MAX_RESULT_PARTS:,} numbers, or "
        f"{MAX_RESULT_PARTS // PARTS_OF_OTHERS:,} of what is larger"
    )
    yield Bound("what an invoked export of a component returns", returned, None)
    yield Bound("handles of a component", "100,000: about 24MiB in the host", None)
    more = f"{format_size(SLACK_BYTES)} for a run, and for all guests of a cell together"
    yield Bound("what the host holds for a guest beside its memory", more, None)
    descriptors = f"{DEFAULT_MAX_FDS} for a run, and for each cell of a batch"
    yield Bound("file descriptors", descriptors, "--max-fds")
    yield Bound("network", "none is given", None)
    printed = f"{format_size(DEFAULT_JOB_OUTPUT_BYTES)} for a job of a batch; none for a run"
    yield Bound("what a guest prints", printed, "--max-output")
    yield _unbounded("what a guest writes to folders that it is given")


def _unbounded(what: str) -> Bound:
    return Bound(what, None, None)
