"""The completion file for bash: a table of the commands, and functions that use it."""

from ..options.tree import CommandLine, Completes, Value
from .shell_text import fill


def script(tree: CommandLine) -> str:
    """The whole of `atectl.bash`."""
    return fill("atectl.bash", commands="".join(_case(command) for command in tree.walk()))


def _case(command: CommandLine) -> str:
    flags = [name for option in command.options if option.value is None for name in option.names]
    values = [
        f"{name}={_kind(option.value)}"
        for option in command.options
        if option.value is not None
        for name in option.names
    ]
    lines = [
        f"    {_quoted(' '.join(command.path))})",
        *_array("commands", [below.path[-1] for below in command.subcommands]),
        *_array("flags", flags),
        *_array("values", values),
        *_array("arguments", [_kind(argument) for argument in command.arguments]),
    ]
    if command.arguments and command.arguments[-1].is_repeatable:
        lines.append("        repeats=yes")
    if command.passes_on:
        lines.append("        passes_on=yes")
    return "\n".join([*lines, "        ;;\n"])


def _array(name: str, words: list[str]) -> list[str]:
    if not words:
        return []
    one_line = f"        {name}=({' '.join(map(_quoted, words))})"
    if len(one_line) <= 100:
        return [one_line]
    return [f"        {name}=(", *(f"            {_quoted(word)}" for word in words), "        )"]


def _kind(value: Value) -> str:
    match value.completes:
        case Completes.CHOICES:
            return f"choices {' '.join(value.choices)}"
        case Completes.CANDIDATES:
            return f"candidates {value.name}"
        case other:
            return other.name.lower()


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
