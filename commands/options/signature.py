"""Declared options in the signature of a command, in the form that Typer reads."""

import inspect
from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Annotated, Any, TypeVar, get_args

import typer
from typer._types import TyperChoice

from .table import Option, options_of
from .typer_forms import declarations

Result = TypeVar("Result")


def with_option_groups(command: Callable[..., Result]) -> Callable[..., Result]:
    """Let a command take each group of options as one parameter.

    A parameter whose type is a group, such as `redis: RedisOptions`, is one value to the command.
    In its place Typer sees all options of the group, in their order, each with its help and
    default. What a group is, says `options_of`.
    """
    shown: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, dict[str, Option]]] = {}
    for parameter in inspect.signature(command).parameters.values():
        if not hasattr(parameter.annotation, "_fields"):
            shown.append(parameter)
            continue
        options = _parameters(parameter.annotation)
        shown += options
        declarations_ = options_of(parameter.annotation).values()
        groups[parameter.name] = (
            parameter.annotation,
            {shown.name: option for shown, option in zip(options, declarations_, strict=True)},
        )

    @wraps(command)
    def flattened(**given: Any) -> Result:
        taken = {
            name: group(*(_read(option, given.pop(name)) for name, option in options.items()))
            for name, (group, options) in groups.items()
        }
        return command(**given, **taken)

    signature = inspect.Signature(shown)
    flattened.__signature__ = signature  # type: ignore[attr-defined]
    flattened.__annotations__ = {each.name: each.annotation for each in shown}
    return flattened


def declared(option: Option, **more: Any) -> Any:
    """A declared option, to annotate a parameter with. `more` is passed on to Typer.

    If the choices are the members of an enum, Typer finds them by the type of the parameter.
    """
    if option.choices and not isinstance(option.choices[0], Enum):
        more["click_type"] = TyperChoice(option.choices)
    return typer.Option(
        *declarations(option),
        metavar=option.metavar or None,
        min=option.lowest,
        max=option.highest,
        help=option.help,
        **{"show_default": option.usually or True, **more},
    )


def _is_read_here(option: Option) -> bool:
    """Whether an option has a way of its own to read its value, which Typer is not to know."""
    return option.reads is not str and option.lowest is None and not option.choices


def _read(option: Option, given: Any) -> Any:
    return option.reads(given) if given is not None and _is_read_here(option) else given


def _parameters(group: Any) -> list[inspect.Parameter]:
    """The options of a group as parameters, with the names that they have on the command line."""
    found = []
    for field, option in options_of(group).items():
        value, _ = get_args(group.__annotations__[field])
        value = str | None if _is_read_here(option) else value
        found.append(
            inspect.Parameter(
                option.name.removeprefix("--").replace("-", "_"),
                inspect.Parameter.KEYWORD_ONLY,
                default=group._field_defaults[field],
                annotation=Annotated[value, declared(option)],
            )
        )
    return found
