"""The command tree, loaded a command at a time, and how Typer's errors become ours."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer._click import Command, Context
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.core import TyperGroup

from atectl import __version__
from atectl.errors import INTERRUPTED_STATUS, UsageError, nearest

COMMANDS = {
    "run": "run.app",
    "batch": "batch.app",
    "load": "load.app",
    "inspect": "inspect.app",
    "budget": "budget.app",
    "ledger": "ledger.app",
    "locks": "locks.app",
    "cache": "cache.app",
    "completions": "completions.app",
    "explain": "explain.app",
    "schema": "schema.app",
    "doctor": "doctor.app",
}
"""Command or group, in the order that help lists them, and the module whose `app` it is."""


class LazyGroup(TyperGroup):
    """The root: imports a command's module when it is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        app = import_module(f".{module}", __package__).app
        command = app if isinstance(app, Command) else typer.main.get_command(app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UsageError(
                f"there is no command {args[0]!r}{nearest(args[0], list(COMMANDS))}",
                remedy="`atectl --help` lists the commands",
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"atectl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run WebAssembly capsules under memory quotas that hold, and see who uses what."""


def invoke(arguments: list[str]) -> int:
    """Run one command line through Typer; the exit status.

    Raises:
        UsageError: the command line is not understood (exit 2).
    """
    try:
        result = app(args=arguments, prog_name="atectl", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED_STATUS
    except NoArgsIsHelpError:  # the help has been shown
        return UsageError.exit_status
    except ClickException as error:
        raise _usage_error(error) from None
    return result if isinstance(result, int) else 0


def _usage_error(error: ClickException) -> UsageError:
    ctx = getattr(error, "ctx", None)
    remedy = f"`{ctx.command_path} --help` shows how it is used" if ctx else None
    return UsageError(error.format_message().rstrip("."), remedy=remedy)
