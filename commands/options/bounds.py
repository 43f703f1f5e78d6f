"""The options that bound what one guest may make of the engine, beside its memory.

`run` and `batch` read them by their tables, so nothing here may import Typer.
"""

from typing import Annotated, NamedTuple

from atectl.accounting import DEFAULT_BOUNDS, StoreBounds
from atectl.units import format_size, parse_size

from .table import Option


class BoundOptions(NamedTuple):
    """What the command line says about them; None where it says nothing."""

    max_instances: Annotated[
        int | None,
        Option(
            "--max-instances",
            "N",
            "Most instances of modules and components in one capsule.",
            usually=str(DEFAULT_BOUNDS.instances),
            lowest=1,
            highest=DEFAULT_BOUNDS.instances,
            reads=int,
        ),
    ] = None
    max_memories: Annotated[
        int | None,
        Option(
            "--max-memories",
            "N",
            "Most memories of all instances of a capsule together.",
            usually=str(DEFAULT_BOUNDS.memories),
            lowest=1,
            highest=10_000,
            reads=int,
        ),
    ] = None
    max_reserved: Annotated[
        int | None,
        Option(
            "--max-reserved",
            "SIZE",
            "Most address space that its memories reserve, 4GiB each and more.",
            usually=format_size(DEFAULT_BOUNDS.reserved_bytes),
            reads=parse_size,
        ),
    ] = None


def store_bounds(options: BoundOptions) -> StoreBounds:
    """The bounds that were asked for, and the defaults of the others."""
    return StoreBounds(
        options.max_instances or DEFAULT_BOUNDS.instances,
        options.max_memories or DEFAULT_BOUNDS.memories,
        options.max_reserved or DEFAULT_BOUNDS.reserved_bytes,
    )
