"""`atectl cache`: the compiled capsules that are kept between runs."""

import sys
import time
from typing import Annotated

import typer

from atectl import config
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.cache_entries import Removal
from atectl.capsule.cache_list import artifacts_in
from atectl.errors import ConfirmationNeeded
from atectl.inert import inert_line
from atectl.units import counted, parse_size, show_size

from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = CommandGroup(no_args_is_help=True)


@app.callback()
def cache() -> None:
    """Manage the compiled capsules, which make a second run start at once."""


@app.command()
def ls(output: OutputOption = Output.table) -> None:
    """List the compiled capsules, most recently used first."""
    found = artifacts_in(config.cache_dir(), config.cache_max_bytes())
    if output is Output.json:
        print_json(found)
        return
    from .view import cache_table

    print_view(cache_table(found, now=time.time()), output)


@app.command()
def prune(
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Shrink the cache to this size.",
            show_default="the limit in atectl.toml",
        ),
    ] = None,
) -> None:
    """Remove the least recently used capsules, and leftovers of killed runs."""
    max_bytes = None if max_size is None else parse_size(max_size)
    with _open() as kept:
        removal = kept.prune(kept.max_bytes if max_bytes is None else max_bytes)
    print(f"{_told(removal)}; {show_size(removal.left_bytes)} left")


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove all compiled capsules. The next run of each compiles it again."""
    with _open() as kept:
        if not yes and not _agrees(kept):
            print("nothing was removed")
            raise typer.Exit(1)
        print(_told(kept.clear()))


def _open() -> ArtifactCache:
    return ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())


def _agrees(kept: ArtifactCache) -> bool:
    folder = inert_line(str(kept.path))
    if not sys.stdin.isatty():
        raise ConfirmationNeeded(f"this would remove every compiled capsule in {folder}")
    what = counted(len(kept.entries()), "compiled capsule")
    return typer.confirm(f"Remove {what} in {folder}?", err=True)


def _told(removal: Removal) -> str:
    removed = counted(removal.artifacts, "compiled capsule")
    return f"removed {removed}, {show_size(removal.freed_bytes)}"
