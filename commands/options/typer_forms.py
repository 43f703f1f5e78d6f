"""Declared options and arguments in the form that Typer needs."""

from collections.abc import Callable
from typing import Any

import typer
from typer._click.types import IntRange, ParamType
from typer._types import TyperChoice
from typer.core import TyperArgument, TyperOption

from .table import Option


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
