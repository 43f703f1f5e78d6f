"""`--quiet` of every command that says more than results and errors.

`run` and `batch` have it in their tables, since it can be set for them.
"""

from typer._click import Context
from typer.core import TyperOption

from .places import QUIET
from .typer_forms import typer_option

SAY_NOTHING = (
    *("inspect", "cache", "config", "completions", "man", "explain", "schema", "doctor"),
)
"""Commands and groups that write nothing to stderr but errors: there it would mean nothing."""

NAME = "quiet"
"""What Typer calls the value of the option."""

_OPTION = typer_option(QUIET)


def quiet_option(ctx: Context) -> TyperOption | None:
    """The option, for the command that `ctx` is of; None where it would mean nothing."""
    words = ctx.command_path.split()
    return None if set(words[1:2]) & set(SAY_NOTHING) else _OPTION
