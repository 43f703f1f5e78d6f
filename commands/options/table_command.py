"""Commands that read their own command line, in the form that Typer needs for their help."""

from collections.abc import Callable
from typing import Any

import typer
from typer._click import Context
from typer._click.types import IntRange, ParamType
from typer._types import TyperChoice
from typer.core import TyperArgument, TyperOption

from .help import HelpCommand
from .table import HELP_NAMES, HelpWanted, Option, OptionTable


class TableCommand(HelpCommand):
    """A command that reads its own command line. Typer only shows its help and completes it.

    Args:
        name: of the command.
        table: its options.
        read_and_run: is given the words after the name, and returns the exit status.
        usage: the words that help shows after the name; by default those for `params`.
        settings: passed on to `TyperCommand`.
    """

    def __init__(
        self,
        name: str,
        table: OptionTable,
        read_and_run: Callable[[list[str]], int],
        *,
        usage: tuple[str, ...] = (),
        context_settings: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        context = {"help_option_names": list(HELP_NAMES), **(context_settings or {})}
        super().__init__(name, context_settings=context, **settings)
        self.table = table
        self._read_and_run = read_and_run
        self._usage = list(usage)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing or (len(args) == 1 and args[0] in HELP_NAMES):
            return super().parse_args(ctx, args)
        ctx.args = list(args)
        return ctx.args

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return self._usage or super().collect_usage_pieces(ctx)

    def invoke(self, ctx: Context) -> Any:
        try:
            return self._read_and_run(ctx.args)
        except HelpWanted:
            return typer.echo(ctx.get_help())


def typer_argument(
    name: str, metavar: str, *, says: str | None = None, takes_all: bool = False
) -> TyperArgument:
    """A required argument; or one that takes all words that are left."""
    return TyperArgument(
        param_decls=[name],
        metavar=metavar,
        help=says,
        nargs=-1 if takes_all else 1,
        required=not takes_all,
    )


def typer_option(
    option: Option, autocompletion: Callable[[str], list[str]] | None = None
) -> TyperOption:
    """One declared option. `autocompletion` finds values that complete a word."""
    default: Any = option.default_text or None
    if option.opposite and default is not None:
        default = default == option.name
    return TyperOption(
        param_decls=declarations(option),
        type=_type(option),
        is_flag=not option.takes_value,
        metavar=option.metavar or None,
        multiple=option.repeatable,
        default=default,
        show_default=option.usually or bool(option.default_text),
        help=option.help,
        autocompletion=typer.main.get_param_completion(autocompletion),
    )


def declarations(option: Option) -> list[str]:
    """The names of an option, as Typer expects them."""
    name = f"{option.name}/{option.opposite}" if option.opposite else option.name
    return [name, option.short] if option.short else [name]


def _type(option: Option) -> ParamType | type[str] | type[bool]:
    if not option.takes_value:
        return bool
    if option.choices:
        return TyperChoice(option.choices)
    if option.lowest is not None:
        return IntRange(min=option.lowest, max=option.highest)
    return str
