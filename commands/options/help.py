"""Groups and commands of Typer whose help is ours: as text, in groups, with examples."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer._click import Context, HelpFormatter
from typer._click.core import Command, Parameter
from typer._click.parser import _OptionParser
from typer.core import TyperCommand, TyperGroup

from ..output.stderr import quietly
from .help_page import help_page
from .help_text import help_text
from .quiet import NAME as QUIET
from .quiet import quiet_option
from .renamed import take_old_names

Function = TypeVar("Function", bound=Callable[..., Any])


class HelpCommand(TyperCommand):
    """A command with our help, which takes `--quiet`, and its options by their old names too."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        parameters = super().get_params(ctx)
        quiet = quiet_option(ctx)
        if quiet is None or any(each.name == QUIET for each in parameters):
            return parameters
        return [*parameters[:-1], quiet, parameters[-1]]  # `--help` stays the last

    def invoke(self, ctx: Context) -> Any:
        with quietly(is_on=ctx.params.pop(QUIET, False)):
            return super().invoke(ctx)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if any(not word or word.endswith("=") for word in args):
            from .empty_paths import refuse_empty_paths

            refuse_empty_paths(self.make_parser(ctx), args, self.get_params(ctx))
        return super().parse_args(ctx, args)

    def make_parser(self, ctx: Context) -> _OptionParser:
        parser = super().make_parser(ctx)
        take_old_names(parser, self.params, ctx)
        return parser

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(shown_help(self, ctx))


class HelpGroup(TyperGroup):
    """A group with our help."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(shown_help(self, ctx))


class CommandGroup(typer.Typer):
    """What `typer.Typer` is, for a group or a single command with our help.

    Args:
        cls: the class of the group.
        settings: passed on.
    """

    def __init__(self, *, cls: type[TyperGroup] = HelpGroup, **settings: Any) -> None:
        super().__init__(cls=cls, add_completion=False, **settings)

    def command(
        self,
        name: str | None = None,
        *,
        cls: type[TyperCommand] | None = HelpCommand,
        **settings: Any,
    ) -> Callable[[Function], Function]:
        return super().command(name, cls=cls, **settings)


def shown_help(command: Command, ctx: Context) -> str:
    """The help of a command, as wide as the terminal is."""
    from ..terminal.frames import can_draw

    is_bold = sys.stdout.isatty() and can_draw() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size().columns
    return help_text(help_page(command, ctx), width, _bold if is_bold else str)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"
