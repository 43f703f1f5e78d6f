"""`atectl config`: what is set, and where."""

import os
from typing import Annotated

import typer

from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = CommandGroup(no_args_is_help=True, help="Show the settings, and where each comes from.")


@app.callback()
def config() -> None:
    """Show the settings, and where each comes from."""


@app.command()
def show(
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="As they are with this profile.", show_default=False),
    ] = None,
    set_only: Annotated[
        bool, typer.Option("--set", help="Only those that are set, not the defaults.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """List every setting with its value and where that comes from.

    The command line goes first, then the environment, then the profile, then atectl.toml, then
    the default. Passwords in URLs are not shown.
    """
    from .settings import settings_now

    found = settings_now(os.environ, profile, set_only=set_only)
    if output is Output.json:
        print_json(found)
    else:
        from .view import settings_table

        print_view(settings_table(found), output)
