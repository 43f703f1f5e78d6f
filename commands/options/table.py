"""Options as a table, and how they are read from a command line.

The commands that are to start fast read their own words by such a table: Typer's import would be
a third of their start. Their help and completions are made from the same table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from atectl.errors import UsageError, nearest

HELP_NAMES = ("-h", "--help")


class HelpWanted(Exception):
    """`--help` was given where it is the command's own."""


class Option(NamedTuple):
    """One option. Without `metavar` and `choices` it is a flag.

    `opposite` is the name that switches a flag off; such a flag's `default` is one of its two
    names, or empty if the command decides. With `lowest` the value is a whole number, of at most
    `highest` if that is given. A `default` that is a function is called only where it is needed,
    so that it may import what every start would pay for. `panel` is the heading under which help
    lists the option. `reads` makes the value of a word, where the option belongs to a group.
    """

    name: str
    metavar: str
    help: str
    default: str | Callable[[], str] = ""
    repeatable: bool = False
    short: str = ""
    opposite: str = ""
    choices: tuple[str, ...] = ()
    lowest: int | None = None
    highest: int | None = None
    panel: str = ""
    reads: Callable[[str], Any] = str

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    @property
    def default_text(self) -> str:
        """What stands for the option where it is not given; empty for nothing."""
        return self.default if isinstance(self.default, str) else self.default()


Group = TypeVar("Group", bound=NamedTuple)


def options_of(group: type[Group]) -> dict[str, Option]:
    """The options that a group declares, by the group's fields.

    A group is a NamedTuple whose fields are annotated with their options: it declares options
    that belong together and is what a command is given for them. The default of a field is that
    of its option.
    """
    defaults = group._field_defaults
    return {
        field: annotation.__metadata__[0]._replace(default=defaults.get(field) or "")
        for field, annotation in group.__annotations__.items()
    }


class OptionTable:
    """Options by each of their names.

    Args:
        options: in the order that help lists them.
        remedy: what to do about a command line that does not fit them.
    """

    def __init__(self, options: tuple[Option, ...], *, remedy: str) -> None:
        self.options = options
        self.remedy = remedy
        self._by_name = {
            name: option
            for option in options
            for name in (option.name, option.short, option.opposite)
            if name
        }

    def __getitem__(self, name: str) -> Option:
        return self._by_name[name]

    def take(self, words: list[str], place: int, given: "Given") -> int:
        """Take the option at `place`, and its value; the place behind them.

        That is `place` itself where the word there is none of these options.

        Raises:
            UsageError: its value is missing, or it takes none (exit 2).
        """
        name, value = _split(words[place])
        option = self._by_name.get(name)
        if option is None:
            return place
        place += 1
        if not option.takes_value:
            if value is not None:
                raise UsageError(f"{name} takes no value", remedy=self.remedy)
            value = name
        elif value is None:
            if place == len(words):
                wanted = option.metavar or "|".join(option.choices)
                raise UsageError(f"{name} needs a value: {name} {wanted}", remedy=self.remedy)
            value = words[place]
            place += 1
        given.add(option, value)
        return place

    def unknown(self, word: str) -> UsageError:
        """The error for a word that looks like an option and is none, with the nearest that is."""
        name = word.partition("=")[0]
        if name in HELP_NAMES:
            return UsageError(f"{name} takes no value", remedy=self.remedy)
        near = nearest(name, [*self._by_name, *HELP_NAMES])
        return UsageError(f"there is no option {name}{near}", remedy=self.remedy)


def looks_like_option(word: str) -> bool:
    """Whether a word can be no argument: `-` alone is one."""
    return word.startswith("-") and word != "-"


class Given:
    """What a command line gives for the options of a table, and the defaults of the others."""

    def __init__(self, table: OptionTable) -> None:
        self._table = table
        self._values: dict[str, list[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def add(self, option: Option, value: str) -> None:
        """Note one use of an option; that of a flag under the name that was used."""
        self._values.setdefault(option.name, []).append(value)

    def every(self, name: str) -> list[str]:
        """Every value given for an option, in order."""
        return self._values.get(name, [])

    def last(self, name: str) -> str | None:
        """The last value given, else the default; None where there is neither.

        Raises:
            UsageError: it is none of the choices, or not in the range (exit 2).
        """
        if name not in self._values:
            return self._table[name].default_text or None
        value = self._values[name][-1]
        self._check(self._table[name], value)
        return value

    def read(self, name: str, reader: Callable[[str], Any]) -> Any:
        """What `reader` makes of the last value; None where there is none."""
        value = self.last(name)
        return None if value is None else reader(value)

    def group(self, group: type[Group]) -> Group:
        """What is given for the options of a group, as that group.

        Raises:
            UsageError: a value is none of the choices, or cannot be read (exit 2).
        """
        options = options_of(group).values()
        return group(*(self.read(option.name, option.reads) for option in options))

    def is_on(self, name: str) -> bool | None:
        """Whether a flag with an opposite is on, by the last one given; None: not asked for."""
        value = self.last(name)
        return None if value is None else value == name

    def _check(self, option: Option, value: str) -> None:
        if option.choices and value not in option.choices:
            near = nearest(value, list(option.choices))
            raise UsageError(
                f"{option.name} {value!r} is none of {', '.join(option.choices)}{near}",
                remedy=self._table.remedy,
            )
        if option.lowest is not None and not _is_in_range(value, option.lowest, option.highest):
            bounds = f"from {option.lowest} on"
            if option.highest is not None:
                bounds = f"from {option.lowest} to {option.highest}"
            raise UsageError(
                f"{option.name} {value!r} is no whole number {bounds}", remedy=self._table.remedy
            )


def _split(word: str) -> tuple[str, str | None]:
    """The name in a word, and the value that it has with it: `--name=value` or `-nVALUE`."""
    if word.startswith("--"):
        name, separator, value = word.partition("=")
        return name, value if separator else None
    if looks_like_option(word) and len(word) > 2:
        return word[:2], word[2:]
    return word, None


def _is_in_range(text: str, lowest: int, highest: int | None) -> bool:
    try:
        number = int(text)
    except ValueError:
        return False
    return lowest <= number and (highest is None or number <= highest)
