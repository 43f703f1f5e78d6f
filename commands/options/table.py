"""Declared options, and how `run` and `batch` read them from a command line.

These commands have to start fast, and importing Typer would be a third of their start. So they read
their command line by a table of options. Typer makes help and completions from the same table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from atectl.errors import UsageError, nearest

HELP_NAMES = ("-h", "--help")


class HelpWanted(Exception):
    """`--help` was given where it belongs to the command itself."""


class Option(NamedTuple):
    """One option. Without `metavar` and `choices` it is a flag.

    Attributes:
        name: with its dashes, such as `--max-mem`.
        metavar: what stands for its value in help.
        help: one sentence for help and completions.
        default: its value if it is not given; empty for none. Of a flag with an opposite it is one
            of the two names, or empty if the command decides. A function is called only when the
            default is needed, so it may import what every start would pay for.
        repeatable: it may be given several times.
        short: another name, such as `-j`.
        opposite: the name that switches a flag off.
        also: other names, which are taken but not shown: what other programs call it.
        choices: all values that it takes.
        lowest: its value is a whole number, and at least this.
        highest: the most that this number may be.
        usually: what help says of its default, where the command finds that out.
        reads: turns its word into a value, if it belongs to a group.
        variable: an environment variable that sets it too, for other commands as well.
    """

    name: str
    metavar: str
    help: str
    default: str | Callable[[], str] = ""
    repeatable: bool = False
    short: str = ""
    opposite: str = ""
    also: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    lowest: int | None = None
    highest: int | None = None
    usually: str = ""
    reads: Callable[[str], Any] = str
    variable: str = ""

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    @property
    def default_text(self) -> str:
        """The default as text; empty if there is none."""
        return self.default if isinstance(self.default, str) else self.default()


Group = TypeVar("Group", bound=NamedTuple)
Value = TypeVar("Value")


def options_of(group: type[Group]) -> dict[str, Option]:
    """The options that a group declares, by the fields of the group.

    A group is a NamedTuple whose fields are annotated with options. It declares options that belong
    together, and a command is given their values as such a tuple. The default of a field is the
    default of its option.
    """
    defaults = group._field_defaults
    return {
        field: annotation.__metadata__[0]._replace(default=defaults.get(field) or "")
        for field, annotation in group.__annotations__.items()
    }


FILES = ("CAPSULE", "DIR", "FILE")
"""What stands for a word that names a file or folder begins so."""


class OptionTable:
    """The options of one command, to be looked up by name.

    Args:
        command: its name.
        options: in the order in which help lists them.
        remedy: the remedy of errors in a command line.
    """

    def __init__(self, command: str, options: tuple[Option, ...], *, remedy: str) -> None:
        self.command = command
        self.options = options
        self.remedy = remedy
        self._by_name = {
            name: option
            for option in options
            for name in (option.name, option.short, option.opposite, *option.also)
            if name
        }

    def __getitem__(self, name: str) -> Option:
        return self._by_name[name]

    def take(self, words: list[str], place: int, given: "Given") -> int:
        """Read the option at `place`, with its value. Returns the place of the next word.

        If the word is none of these options, that is `place` itself.

        Raises:
            UsageError: the option has no value but needs one, or the other way round (exit 2).
        """
        name, value = _split(words[place])
        option = self._by_name.get(name)
        if option is None:
            return place
        place += 1
        if not option.takes_value:
            if value is not None:
                raise UsageError(f"{name} takes no value", remedy=self.remedy)
            value = name if name == option.opposite else option.name
        elif value is None:
            if place == len(words):
                wanted = option.metavar or "|".join(option.choices)
                raise UsageError(f"{name} needs a value: {name} {wanted}", remedy=self.remedy)
            value = words[place]
            place += 1
        if value == "" and option.metavar.startswith(FILES):
            raise empty_word(name)
        given.add(option, value)
        return place

    def has_in_full(self, word: str) -> bool:
        """Whether a word is one of these options, by the name that help shows for it."""
        name = word.partition("=")[0]
        option = self._by_name.get(name)
        return option is not None and name in (option.name, option.opposite)

    def mistaken(self, word: str) -> str | None:
        """The option whose mistyped name a word looks like; None if there is none."""
        # Most command lines have no such word, and need no import for it.
        from .slips import mistaken

        return mistaken(word, [name for name in self._by_name if self.has_in_full(name)])

    def unknown(self, words: list[str], place: int) -> UsageError:
        """The error for the word at `place`, which looks like an option but is none."""
        from .habits import unknown_option

        following = words[place + 1] if place + 1 < len(words) else ""
        known = (*self._by_name, *HELP_NAMES)
        return unknown_option(words[place], self.command, known, self.remedy, following)


def empty_word(name: str) -> UsageError:
    """The error for an empty word in the place of a file or folder."""
    return UsageError(
        f"{name} is an empty word",
        remedy="name a file or folder; a variable that is not set is such a word",
    )


def looks_like_option(word: str) -> bool:
    """Whether a word cannot be an argument. `-` alone can."""
    return word.startswith("-") and word != "-"


class Given:
    """The options that were given, on the command line or as settings, and the others' defaults."""

    def __init__(self, table: OptionTable) -> None:
        self._table = table
        self._values: dict[str, list[str]] = {}
        self._origins: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def add(self, option: Option, value: str) -> None:
        """Add one use of an option. Of a flag, `value` is the name that was used."""
        self._values.setdefault(option.name, []).append(value)

    def preset(self, option: Option, values: list[str], origin: str) -> None:
        """Take the values of a setting for an option that the command line does not have.

        Args:
            origin: where the setting is, for errors in it.
        """
        self._values[option.name] = values
        self._origins[option.name] = origin

    def is_typed(self, name: str) -> bool:
        """Whether an option is on the command line."""
        return name in self._values and name not in self._origins

    def origin(self, name: str) -> str:
        """Where the setting is that an option comes from; empty if there is none."""
        return self._origins.get(name, "")

    def every(self, name: str) -> list[str]:
        """All values that were given for an option, in order."""
        return self._values.get(name, [])

    def last(self, name: str) -> str | None:
        """The last value that was given, else the default; None if there is neither.

        Raises:
            UsageError: the value is none of the choices, or not in the range (exit 2).
        """
        if name not in self._values:
            return self._table[name].default_text or None
        value = self._values[name][-1]
        self._blaming(name, lambda: self._check(self._table[name], value))
        return value

    def read(self, name: str, reader: Callable[[str], Any]) -> Any:
        """The last value, as `reader` reads it; None if there is none."""
        value = self.last(name)
        return None if value is None else self._blaming(name, lambda: reader(value))

    def read_every(self, name: str, reader: Callable[[list[str]], Value]) -> Value:
        """All values, as `reader` reads them together."""
        return self._blaming(name, lambda: reader(self.every(name)))

    def _blaming(self, name: str, read: Callable[[], Value]) -> Value:
        """What `read` returns. An error in the value of a setting says where the setting is."""
        try:
            return read()
        except UsageError as error:
            origin = self._origins.get(name)
            if origin is None:
                raise
            raise type(error)(f"{origin}: {error}", remedy=error.remedy) from None

    def group(self, group: type[Group]) -> Group:
        """The values of the options of a group, as that group.

        Raises:
            UsageError: a value is none of the choices, or cannot be read (exit 2).
        """
        options = options_of(group).values()
        return group(*(self._value(option) for option in options))

    def _value(self, option: Option) -> Any:
        if option.repeatable:
            return self.read_every(
                option.name, lambda values: [option.reads(value) for value in values]
            )
        return self.read(option.name, option.reads)

    def is_on(self, name: str) -> bool | None:
        """Whether a flag with an opposite is on. The last one given counts; None if neither was."""
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
    """The name of an option and the value in the same word, as in `--name=value` or `-nVALUE`."""
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
