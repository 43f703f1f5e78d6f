"""The command tree, loaded a command at a time, and how Typer's errors become ours."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer._click import Command, Context
from typer._click.exceptions import ClickException, NoArgsIsHelpError, NoSuchOption
from typer.core import TyperGroup

from atectl import __version__
from atectl.errors import INTERRUPTED_STATUS, UsageError

from .options.help import CommandGroup, HelpGroup

COMMANDS = {
    "run": "run.app",
    "batch": "batch.app",
    "host": "host.app",
    "load": "load.app",
    "inspect": "inspect.app",
    "budget": "budget.app",
    "ledger": "ledger.app",
    "locks": "locks.app",
    "cache": "cache.app",
    "config": "config.app",
    "completions": "completions.app",
    "man": "man.app",
    "explain": "explain.app",
    "schema": "schema.app",
    "doctor": "doctor.app",
}
"""Command or group, in the order that help lists them, and the module whose `app` it is."""


SHORT_FORMS = {"top": ("ledger", "top"), "ps": ("ledger", "ps")}
"""Commands of a group that can be called without the group's name."""


class LazyGroup(HelpGroup):
    """The root: imports a command's module when it is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [*COMMANDS, *SHORT_FORMS]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name in SHORT_FORMS:
            group, name = SHORT_FORMS[cmd_name]
            found = self.get_command(ctx, group)
            return found.get_command(ctx, name) if isinstance(found, TyperGroup) else None
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        app = import_module(f".{module}", __package__).app
        command = app if isinstance(app, Command) else typer.main.get_command(app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from .options.habits import unknown_command

            raise unknown_command(args, "atectl", self.list_commands(ctx))
        return super().resolve_command(ctx, args)


app = CommandGroup(
    cls=LazyGroup,
    no_args_is_help=True,
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
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the version."
        ),
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
    except typer.Abort:  # Ctrl-C or Ctrl-D, typed behind a question
        sys.stderr.write("\n")
        return INTERRUPTED_STATUS
    except NoArgsIsHelpError as help_wanted:
        print(help_wanted.format_message())
        return UsageError.exit_status
    except ClickException as error:
        raise _usage_error(error, arguments) from None
    return result if isinstance(result, int) else 0


def _usage_error(error: ClickException, arguments: list[str]) -> UsageError:
    from .options.typer_errors import message_of

    ctx: Context = getattr(error, "ctx", None) or _context_of(arguments)
    remedy = f"`{ctx.command_path} --help` shows how it is used"
    if isinstance(error, NoSuchOption):
        return _unknown_option(error.option_name, ctx, arguments, remedy)
    depth = len(ctx.command_path.split()) - 1
    if isinstance(ctx.command, TyperGroup) and len(arguments) > depth:
        # A group has no other mistake: each of ours takes nothing but one of its commands.
        from .options.habits import unknown_command

        names = ctx.command.list_commands(ctx)
        return unknown_command(arguments[depth:], ctx.command_path, names)
    return UsageError(message_of(error, ctx), remedy=remedy)


def _context_of(arguments: list[str]) -> Context:
    """The context of the command that a command line names: Typer's parser does not tell it."""
    ctx = Context(typer.main.get_command(app), info_name="atectl")
    for word in arguments:
        group = ctx.command
        command = group.get_command(ctx, word) if isinstance(group, TyperGroup) else None
        if command is None:
            break
        ctx = Context(command, parent=ctx, info_name=word)
    return ctx


def _unknown_option(name: str, ctx: Context, arguments: list[str], remedy: str) -> UsageError:
    from .options.habits import unknown_option

    parameters = ctx.command.get_params(ctx)
    names = [name for each in parameters for name in (*each.opts, *each.secondary_opts)]
    place = next((at for at, word in enumerate(arguments) if word.startswith(name)), -1)
    word, following = name, ""
    if place >= 0:
        word, following = arguments[place], "".join(arguments[place + 1 : place + 2])
    command = " ".join(ctx.command_path.split()[1:])
    return unknown_option(word, command, names, remedy, following)
