"""The options that bound what a capsule may cost before it runs.

`run` and `batch` read them by their tables, so nothing here may import Typer.
"""

from typing import Annotated, NamedTuple

from atectl.capsule.limits import (
    DEFAULT_COMPILE_DEADLINE_S,
    DEFAULT_COMPILE_MEMORY_BYTES,
    DEFAULT_MAX_CAPSULE_BYTES,
    CompileLimits,
)
from atectl.units import duration_text, format_size, parse_duration, parse_size

from .table import Option


class CompileOptions(NamedTuple):
    """What the command line says about compiling; None where it says nothing."""

    max_capsule: Annotated[
        int | None,
        Option(
            "--max-capsule",
            "SIZE",
            "Largest capsule that is taken.",
            usually=format_size(DEFAULT_MAX_CAPSULE_BYTES),
            reads=parse_size,
        ),
    ] = None
    compile_mem: Annotated[
        int | None,
        Option(
            "--compile-mem",
            "SIZE",
            "Most memory to compile a capsule.",
            usually=f"{format_size(DEFAULT_COMPILE_MEMORY_BYTES)}, or what the host's limit"
            " leaves if that is less",
            reads=parse_size,
        ),
    ] = None
    compile_deadline: Annotated[
        float | None,
        Option(
            "--compile-deadline",
            "DURATION",
            "Longest time to compile a capsule.",
            usually=duration_text(DEFAULT_COMPILE_DEADLINE_S),
            reads=parse_duration,
        ),
    ] = None


def compile_limits(options: CompileOptions) -> CompileLimits:
    """The limits that were asked for, and the defaults of the others."""
    return CompileLimits(
        options.max_capsule or DEFAULT_MAX_CAPSULE_BYTES,
        options.compile_mem,
        options.compile_deadline or DEFAULT_COMPILE_DEADLINE_S,
    )
