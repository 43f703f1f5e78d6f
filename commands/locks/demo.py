"""`atectl locks demo`: sample locks in a test server."""

import sys
from typing import Annotated

import typer

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..output.stderr import say

_THERE = "with the same --redis: "


@with_option_groups
def demo(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the samples that are as they were laid.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Lay them beside other keys, or on another machine."),
    ] = False,
    *,
    redis: RedisOptions,
) -> None:
    """Lay sample locks into a test server, to try the other commands.

    A server that is not on this machine, or has other keys, is refused. Nothing is overwritten.
    """
    from atectl.inert import inert_line
    from atectl.locks.samples import lay_samples, remove_samples

    with connected(redis) as connection:
        place = inert_line(connection.address)
        if remove:
            removed = remove_samples(connection)
            sys.stdout.write(f"{removed.key_count} keys removed from {place}\n")
            for key in removed.left:
                say(f"left alone, as it is no sample any more: {inert_line(key)}")
        else:
            count = lay_samples(connection, is_forced=force)
            sys.stdout.write(
                f"{count} keys written to {place}\n{'' if redis.url is None else _THERE}"
                "`atectl locks ls` lists them; `atectl locks demo --remove` removes them\n"
            )
