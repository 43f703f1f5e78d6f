"""All commands with their options and arguments, read from Typer.

The completion files and the manual pages are made from this. When a completion file asks for the
possible values of a parameter, the parameter is looked up here.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import typer
from typer._click.core import Command, Context, Parameter
from typer.core import TyperArgument, TyperGroup, TyperOption

from atectl.errors import UsageError

from ..app import app

if TYPE_CHECKING:
    from .help_page import HelpPage


class Completes(Enum):
    """What a value is completed with."""

    NOTHING = auto()
    FILES = auto()
    FOLDERS = auto()
    CHOICES = auto()
    CANDIDATES = auto()
    """Values from the `autocompletion` function of the parameter, which is called at each TAB."""


_BY_METAVAR = {
    "ARGS": Completes.FILES,
    "CAPSULE": Completes.FILES,
    "FILE": Completes.FILES,
    "WHERE": Completes.FILES,
    "DIR": Completes.FOLDERS,
    "FOLDER": Completes.FOLDERS,
    "HOST": Completes.FOLDERS,
}
"""How a value that Typer takes as text is completed, by the first word of its metavar."""

_ALTERNATIVES = re.compile(r"[a-z0-9-]+(?:\|[a-z0-9-]+)+")
"""A metavar that lists the possible values, such as `fail|trap`."""


class Value(NamedTuple):
    """A value on the command line, as help names it, and how it is completed."""

    name: str
    metavar: str
    completes: Completes
    choices: tuple[str, ...] = ()
    is_repeatable: bool = False


class OptionNames(NamedTuple):
    """One option under all its names; `value` is None for a flag."""

    names: tuple[str, ...]
    summary: str
    value: Value | None
    is_repeatable: bool = False
    ends_command: bool = False


class CommandLine(NamedTuple):
    """One command: `path` is its words after `atectl`, empty for the root; `page` is its help.

    With `passes_on` its first argument is a program with arguments of its own. They begin with the
    first word behind it that is not an option of this command.
    """

    path: tuple[str, ...]
    summary: str
    page: "HelpPage"
    subcommands: tuple["CommandLine", ...]
    options: tuple[OptionNames, ...]
    arguments: tuple[Value, ...]
    passes_on: bool

    def walk(self) -> Iterator["CommandLine"]:
        """This command and everything below it."""
        yield self
        for subcommand in self.subcommands:
            yield from subcommand.walk()


def read_tree() -> CommandLine:
    """Every command that help shows, with its options and arguments."""
    root = typer.main.get_command(app)
    return _read(root, _context(root, "atectl"), ())


def find_parameter(path: list[str], name: str) -> tuple[Context, Parameter]:
    """A parameter of the command at `path`, and a context to ask it in.

    Raises:
        UsageError: there is no such command or parameter (exit 2).
    """
    command = typer.main.get_command(app)
    ctx = _context(command, "atectl")
    for word in path:
        below = command.get_command(ctx, word) if isinstance(command, TyperGroup) else None
        if below is None:
            raise UsageError(f"there is no command {' '.join(path)!r}")
        command, ctx = below, _context(below, word, ctx)
    for parameter in command.get_params(ctx):
        if parameter.name == name:
            return ctx, parameter
    raise UsageError(f"{' '.join(path)!r} has no parameter {name!r}")


def _read(command: Command, ctx: Context, path: tuple[str, ...]) -> CommandLine:
    # A TAB that looks a parameter up needs no help.
    from .help_page import help_page

    below = []
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            subcommand = command.get_command(ctx, name)
            if subcommand is not None and not subcommand.hidden:
                below.append(_read(subcommand, _context(subcommand, name, ctx), (*path, name)))
    parameters = command.get_params(ctx)
    return CommandLine(
        path=path,
        summary=_first_sentence(command.help),
        page=help_page(command, ctx),
        subcommands=tuple(below),
        options=tuple(
            named
            for option in parameters
            if isinstance(option, TyperOption) and not option.hidden
            for named in _option_names(option)
        ),
        arguments=tuple(_value(each) for each in parameters if isinstance(each, TyperArgument)),
        passes_on=ctx.ignore_unknown_options,
    )


def _context(command: Command, name: str, parent: Context | None = None) -> Context:
    return Context(command, parent=parent, info_name=name, **command.context_settings)


def _option_names(option: TyperOption) -> Iterator[OptionNames]:
    summary = _first_sentence(option.help)
    # Typer keeps the names of the help option in a set: their order changes from run to run.
    names = tuple(sorted(option.opts, key=lambda name: (not name.startswith("--"), name)))
    if not option.is_flag:
        yield OptionNames(names, summary, _value(option), option.multiple)
        return
    yield OptionNames(names, summary, None, ends_command=option.is_eager)
    if option.secondary_opts:
        yield OptionNames(tuple(option.secondary_opts), f"Not {option.opts[0]}", None)


def _value(parameter: Parameter) -> Value:
    metavar = parameter.metavar or (parameter.name or "").upper()
    choices = _choices(parameter, metavar)
    return Value(
        name=parameter.name or "",
        metavar=metavar,
        completes=Completes.CHOICES if choices else _completes(parameter, metavar),
        choices=choices,
        is_repeatable=parameter.nargs == -1,
    )


def _choices(parameter: Parameter, metavar: str) -> tuple[str, ...]:
    if _ALTERNATIVES.fullmatch(metavar):
        return tuple(metavar.split("|"))
    return tuple(str(choice) for choice in getattr(parameter.type, "choices", ()))


def _completes(parameter: Parameter, metavar: str) -> Completes:
    if parameter._custom_shell_complete is not None:
        return Completes.CANDIDATES
    if parameter.type.name in ("file", "path"):
        return Completes.FILES
    if parameter.type.name == "directory":
        return Completes.FOLDERS
    word = re.search(r"[A-Z]+", metavar)
    return _BY_METAVAR.get(word[0] if word else "", Completes.NOTHING)


def _first_sentence(text: str | None) -> str:
    first = " ".join((text or "").split("\n\n", 1)[0].split())
    return re.split(r"[.;:](?:\s|$)", first, maxsplit=1)[0]
