"""Options that had another name before 0.1: the old names are still taken, and not shown.

They go with the next release.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer._click import Context
    from typer._click.core import Parameter
    from typer._click.parser import _OptionParser

OLD_NAMES = {
    "--rows": "--limit",
    "--chart": "--svg",
    "--lock-ttl": "--ttl",
    "--lock-prefix": "--prefix",
    "--lock-wait": "--wait",
    "--lock-strict": "--strict",
    "--jobs": "--concurrency",
}
"""Each option that was renamed, and what it was called."""


def take_old_names(
    parser: "_OptionParser", parameters: "Iterable[Parameter]", ctx: "Context"
) -> None:
    """Have a parser take the options of a command by their old names too."""
    for parameter, name in with_old_names(parameters):
        under_old_name = copy(parameter)
        under_old_name.opts = [name]
        under_old_name.add_to_parser(parser, ctx)


def with_old_names(parameters: "Iterable[Parameter]") -> "Iterator[tuple[Parameter, str]]":
    """The options of a command that were renamed, each with the name that it had.

    A name that another option of the command has now is not among them.
    """
    options = list(parameters)
    taken = {name for each in options for name in each.opts}
    for option in options:
        for name in option.opts:
            old = OLD_NAMES.get(name)
            if old is not None and old not in taken:
                yield option, old
