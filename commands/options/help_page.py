"""What help says of a command, read from Typer: what help and manual pages are made of."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from typer._click.core import Command, Context
from typer.core import TyperArgument, TyperGroup, TyperOption

from .examples import EXAMPLES, Example
from .groups import USUAL, group_of, headings

_LONGEST_CHOICES = 30
"""So many characters of choices stand for a value; more are listed in the text."""


class ValueHelp(NamedTuple):
    """An option or an argument.

    Attributes:
        names: the short name first; of a switch that has one, the name that switches it off last.
        metavar: what stands for its value; empty for a switch.
        says: what it is for, with the values that it takes.
        default: its value if it is not given; empty if there is none.
        group: the heading under which options that belong together stand.
    """

    names: tuple[str, ...]
    metavar: str
    says: str
    default: str = ""
    group: str = USUAL


class HelpPage(NamedTuple):
    """A command or a group.

    Attributes:
        name: all its words, such as `atectl locks ls`.
        usage: the words that follow its name.
        paragraphs: what it does.
        options: those that belong together stand together.
        commands: of a group, the name of each command and what it does, in a sentence.
    """

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    arguments: tuple[ValueHelp, ...]
    options: tuple[ValueHelp, ...]
    commands: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]


def help_page(command: Command, ctx: Context) -> HelpPage:
    """The page of a command, which `ctx` is of."""
    path = ctx.command_path
    parameters = command.get_params(ctx)
    shown = [each for each in parameters if not getattr(each, "hidden", False)]
    options = [_option(each, ctx) for each in shown if isinstance(each, TyperOption)]
    groups = _groups(path, options)
    options.sort(key=lambda each: groups.index(each.group))
    arguments = [each for each in shown if isinstance(each, TyperArgument)]
    commands = tuple(_commands(command, ctx)) if isinstance(command, TyperGroup) else ()
    return HelpPage(
        name=path,
        usage=" ".join(_usage(command, arguments)),
        paragraphs=_paragraphs(command.help),
        arguments=tuple(_argument(each) for each in arguments if each.help),
        options=tuple(options),
        commands=commands,
        examples=_examples(path, [name for name, _ in commands]),
    )


def _examples(path: str, commands: list[str]) -> tuple[Example, ...]:
    """The examples of a command; of a group that has none of its own, the first of each command."""
    own = EXAMPLES.get(path, ())
    below = (EXAMPLES.get(f"{path} {name}", ())[:1] for name in commands)
    return own or tuple(example for first in below for example in first)


def _groups(command: str, options: list[ValueHelp]) -> list[str]:
    """The headings in their order: what is in no group first, unless that is `--help` alone."""
    groups = list(headings(command))
    is_help_alone = sum(each.group == USUAL for each in options) == 1
    return [*groups, USUAL] if is_help_alone else [USUAL, *groups]


def _usage(command: Command, arguments: list[TyperArgument]) -> Iterator[str]:
    yield "[OPTIONS]"
    if isinstance(command, TyperGroup):
        yield "COMMAND ..."
    for each in arguments:
        yield word_of(each)


def word_of(argument: TyperArgument) -> str:
    """What stands for an argument, such as `[PATH]...`."""
    word = argument.metavar or (argument.name or "").upper()
    if word.startswith("["):
        return word
    word += "" if argument.nargs == 1 or word.endswith("...") else "..."
    return word if argument.required else f"[{word}]"


def _argument(argument: TyperArgument) -> ValueHelp:
    default = argument.show_default if isinstance(argument.show_default, str) else ""
    metavar = word_of(argument).replace("[", "").replace("]", "")
    return ValueHelp((), metavar, _says(argument, ""), default)


def _option(option: TyperOption, ctx: Context) -> ValueHelp:
    names = sorted(option.opts, key=lambda name: (name.startswith("--"), name))
    metavar, more = ("", "") if option.is_flag else value_of(option)
    return ValueHelp(
        names=(*names, *option.secondary_opts),
        metavar=metavar,
        says=_says(option, more),
        default=_default(option, ctx),
        group=group_of(ctx.command_path, (*option.opts, *option.secondary_opts)),
    )


def value_of(option: TyperOption) -> tuple[str, str]:
    """What stands for the value of an option, and what is to be said of the values it takes."""
    choices = [str(getattr(each, "value", each)) for each in getattr(option.type, "choices", ())]
    if choices:
        joined = "|".join(choices)
        if len(joined) <= _LONGEST_CHOICES:
            return joined, ""
        return option.metavar or "WORD", f"One of {', '.join(choices)}."
    metavar = option.metavar or str(option.type.name).upper()
    lowest, highest = (getattr(option.type, name, None) for name in ("min", "max"))
    if highest is not None:
        return metavar, f"From {lowest} to {highest}."
    is_plain = lowest is None or lowest <= 1
    return metavar, "" if is_plain else f"At least {lowest}."


def _says(parameter: TyperOption | TyperArgument, more: str) -> str:
    said = " ".join((parameter.help or "").split())
    repeated = "May be given several times." if getattr(parameter, "multiple", False) else ""
    return " ".join(filter(None, (said, more, repeated)))


def _default(option: TyperOption, ctx: Context) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    value: Any = option._extract_default_help_str(ctx=ctx)
    if not option.show_default or value is None or value in ([], ()):
        return ""
    if option.is_flag:
        if not option.secondary_opts:
            return ""
        return str(option.opts[0] if value else option.secondary_opts[0])
    return str(value.value if isinstance(value, Enum) else value)


def _commands(group: TyperGroup, ctx: Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            paragraphs = _paragraphs(command.short_help or command.help)
            yield name, paragraphs[0] if paragraphs else ""


def _paragraphs(text: str | None) -> tuple[str, ...]:
    parts = (" ".join(each.split()) for each in (text or "").split("\n\n"))
    return tuple(filter(None, parts))
