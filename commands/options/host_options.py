"""The options that stand over `[host]`, for commands with a Typer signature."""

from typing import Annotated, Any

import typer

from atectl.system.ceilings import DEFAULT_SHARE

from .host import HOST_OPTIONS, Backpressure, PolicyName
from .table_command import declarations

_BY_NAME = {option.name: option for option in HOST_OPTIONS}


def _declared(name: str, *, says: str = "") -> Any:
    option = _BY_NAME[name]
    return typer.Option(
        *declarations(option),
        metavar=option.metavar or None,
        min=option.lowest,
        max=option.highest,
        help=says or option.help,
    )


JobsOption = Annotated[int | None, _declared("--jobs")]
LimitOption = Annotated[
    str | None,
    _declared(
        "--limit",
        says=f"Most memory of the whole host process; {DEFAULT_SHARE:g} of the machine's.",
    ),
]
SoftOption = Annotated[float | None, _declared("--soft")]
ResumeOption = Annotated[float | None, _declared("--resume")]
BackpressureOption = Annotated[Backpressure | None, _declared("--backpressure")]
PolicyOption = Annotated[PolicyName | None, _declared("--policy")]
SpillDirOption = Annotated[str | None, _declared("--spill-dir")]
SpillCapOption = Annotated[str | None, _declared("--spill-cap")]
