"""What Typer finds wrong with a command line, in the words of the parser of `run` and `batch`."""

from typer._click import Context
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    ClickException,
    MissingParameter,
)
from typer._click.types import IntRange
from typer._types import TyperChoice
from typer.core import TyperArgument, TyperOption

from atectl.errors import cut, nearest, quoted

from .help_page import value_of, word_of

_TOO_MANY = "Got unexpected extra argument(s) ("


def message_of(error: ClickException, ctx: Context) -> str:
    """What an error says, without a full stop.

    Args:
        ctx: of the command.
    """
    told = error.format_message().rstrip(".")
    match error:
        case MissingParameter(param=TyperArgument() as argument):
            choices = _choices(argument)
            return f"no {name_of(argument)} was named" + (f": {choices}" if choices else "")
        case MissingParameter(param=TyperOption() as option):
            return f"{option.opts[0]} is needed: {option.opts[0]} {value_of(option)[0]}"
        case BadOptionUsage(option_name=name) if " requires " in told:
            meant = _option(name, ctx)
            return f"{name} needs a value" + (f": {name} {value_of(meant)[0]}" if meant else "")
        case BadOptionUsage(option_name=name) if " take a value" in told:
            return f"{name} takes no value"
        case BadParameter(param=TyperOption() | TyperArgument() as parameter):
            return _bad_value(parameter, error.message) or told
    if told.startswith(_TOO_MANY):
        words = told.removeprefix(_TOO_MANY).removesuffix(")")
        return f"it takes no more words, and {quoted(words)} is too much"
    return told


def name_of(argument: TyperArgument) -> str:
    """The word that stands for one use of an argument."""
    return word_of(argument).removeprefix("[--] ").split()[0].removesuffix("...").strip("[]")


def _option(name: str, ctx: Context) -> TyperOption | None:
    known = ctx.command.get_params(ctx)
    fitting = (each for each in known if isinstance(each, TyperOption) and name in each.opts)
    return next(fitting, None)


def _bad_value(parameter: TyperOption | TyperArgument, said: str) -> str:
    """What is wrong with a value that is none of the choices or no number; empty if neither."""
    value, _, why = said.partition(" is not ")
    value = value if value.startswith(("'", '"')) else f"'{value}'"
    if not why:
        return ""
    name = parameter.opts[0] if isinstance(parameter, TyperOption) else name_of(parameter)
    match parameter.type:
        case TyperChoice():
            words = _choices(parameter)
            near = nearest(value[1:-1], words.split(", "))
            return f"{name} {cut(value)} is none of {words}{near}"
        case IntRange(min=lowest, max=highest):
            end = "on" if highest is None else f"to {highest}"
            return f"{name} {cut(value)} is no whole number from {lowest} {end}"
    return ""


def _choices(parameter: TyperOption | TyperArgument) -> str:
    """The words that it takes; empty if it takes any."""
    choices = getattr(parameter.type, "choices", ())
    return ", ".join(str(getattr(each, "value", each)) for each in choices)
