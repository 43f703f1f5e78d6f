"""The completion file for fish: one call of `complete` for each option of each command."""

from ..options.tree import CommandLine, Completes, OptionNames, Value
from .shell_text import fill


def script(tree: CommandLine) -> str:
    """The whole of `atectl.fish`."""
    commands = list(tree.walk())
    lists = [
        _list("commands", [" ".join(command.path) for command in commands if command.path]),
        _list("passing", [" ".join(command.path) for command in commands if command.passes_on]),
        _list("valued", _names(commands, valued=True)),
        _list("flags", _names(commands, valued=False)),
    ]
    completions = [line for command in commands for line in _command(command)]
    return fill("atectl.fish", words=_lines(lists), commands=_lines(completions))


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _list(name: str, entries: list[str]) -> str:
    return " \\\n    ".join([f"set -g __atectl_{name}", *map(_quoted, entries)])


def _names(commands: list[CommandLine], *, valued: bool) -> list[str]:
    """The options that take a value, or those that take none, each with its command before it."""
    return [
        " ".join((*command.path, name))
        for command in commands
        for option in command.options
        if (option.value is not None) is valued
        for name in option.names
    ]


def _command(command: CommandLine) -> list[str]:
    path = " ".join(command.path)
    lines = [
        _line(path, 0, f"-a {below.path[-1]} -d {_quoted(below.summary)}")
        for below in command.subcommands
    ]
    lines += [_line(path, None, _option(command, option)) for option in command.options]
    lines += [
        _line(path, None if argument.is_repeatable else place, _value(command, argument))
        for place, argument in enumerate(command.arguments)
        if argument.completes is not Completes.NOTHING
    ]
    if command.passes_on:
        lines.append(_line(f"{path} --", None, "-F"))
    return ["", *lines]


def _line(path: str, place: int | None, what: str) -> str:
    where = f'__atectl_at "{path}"' + ("" if place is None else f" {place}")
    return f"complete -c atectl -n {_quoted(where)} {what}"


def _option(command: CommandLine, option: OptionNames) -> str:
    names = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    ]
    value = [f"-r {_value(command, option.value)}"] if option.value else []
    return " ".join([*names, *value, f"-d {_quoted(option.summary)}"])


def _value(command: CommandLine, value: Value) -> str:
    match value.completes:
        case Completes.NOTHING:
            return "-f"
        case Completes.FILES:
            return "-F"
        case Completes.FOLDERS:
            return "-f -a '(__atectl_folders)'"
        case Completes.CHOICES:
            return f"-f -a {_quoted(' '.join(value.choices))}"
        case Completes.CANDIDATES:
            ask = f'(__atectl_ask "{" ".join(command.path)}" {value.name})'
            return f"-f -a {_quoted(ask)}"


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
