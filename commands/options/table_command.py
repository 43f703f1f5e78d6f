"""Commands that read their own command line, in the form that Typer needs for their help."""

from collections.abc import Callable
from typing import Any

import typer
from typer._click import Context

from .help import HelpCommand
from .table import HELP_NAMES, HelpWanted, OptionTable


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
