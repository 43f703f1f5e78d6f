"""`atectl man`: the manual pages, which come with the wheel."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..options.help import CommandGroup

app = CommandGroup(no_args_is_help=True)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", file_okay=False, help="The folder with the pages.")
]


@app.callback()
def man() -> None:
    """Print or check the manual pages, one for each command or group."""


@app.command()
def show(
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="Whose page: the first word of a command.",
            show_default="the page of atectl",
        ),
    ] = None,
) -> None:
    """Print a manual page, as man(1) takes it."""
    from .pages import page_of

    sys.stdout.write(page_of(command))


@app.command()
def write(folder: FolderArgument) -> None:
    """Write all manual pages into a folder, and remove those of commands that are gone."""
    from .pages import write_pages

    count = write_pages(folder)
    print(f"wrote {count} pages")


@app.command()
def check(folder: FolderArgument) -> None:
    """Check that the manual pages in a folder are up to date."""
    from .pages import check_pages

    check_pages(folder)
