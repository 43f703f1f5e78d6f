"""The completion file for zsh: one function for each command, which calls `_arguments`."""

import re

from ..options.tree import CommandLine, Completes, OptionNames, Value
from .shell_text import fill


def script(tree: CommandLine) -> str:
    """The whole of `_atectl`."""
    return fill("_atectl", commands="".join(_function(command) for command in tree.walk()))


def _function(command: CommandLine) -> str:
    body = _group_body(command) if command.subcommands else _leaf_body(command)
    return f"\n{_name(command)}() {{\n{body}}}\n"


def _leaf_body(command: CommandLine) -> str:
    arguments = [
        f"{'*' if argument.is_repeatable else place}:{_value(command, argument)}"
        for place, argument in enumerate(command.arguments, start=1)
    ]
    lines = _call("_arguments -s -S :", [*_option_specs(command), *arguments])
    if command.passes_on:
        own = [
            f"{name}=" if option.value else name
            for option in command.options
            for name in option.names
        ]
        passed_on = [*_call("if _atectl_is_passed_on", own), "then", "    _files", "    return"]
        lines = [*passed_on, "fi", *lines]
    return _lines(lines)


def _group_body(command: CommandLine) -> str:
    words = [*_option_specs(command), "1: :->command", "*:: :->below"]
    below = command.subcommands
    described = [_quoted(f"{each.path[-1]}:{_escaped(each.summary)}") for each in below]
    calls = [f"{each.path[-1]}) {_name(each)} && failed=0 ;;" for each in below]
    return fill(
        "_atectl.group",
        arguments=_lines(_call("_arguments -C -s -S :", words, "&& failed=0")),
        commands=_lines(described, indent=12),
        calls=_lines(calls, indent=8),
    )


def _lines(lines: list[str], *, indent: int = 4) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _call(program: str, words: list[str], then: str = "") -> list[str]:
    """A call of a shell command, with one argument on each line."""
    lines = [program, *(f"    {_quoted(word)}" for word in words)]
    if then:
        lines.append(f"    {then}")
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _option_specs(command: CommandLine) -> list[str]:
    return [
        f"{_excludes(option)}{name}{_joint(name) if option.value else ''}"
        f"[{_escaped(option.summary)}]"
        f"{f':{_value(command, option.value)}' if option.value else ''}"
        for option in command.options
        for name in option.names
    ]


def _excludes(option: OptionNames) -> str:
    """What is not offered any more behind the option."""
    if option.ends_command:
        return "(- : *)"
    if option.is_repeatable:
        return "*"
    return f"({' '.join(option.names)})" if len(option.names) > 1 else ""


def _joint(name: str) -> str:
    return "=" if name.startswith("--") else "+"


def _value(command: CommandLine, value: Value) -> str:
    """The description of a value, and the action that completes it."""
    word = re.search(r"[A-Za-z]+", value.metavar)
    return f"{word[0].lower() if word else value.name}:{_action(command, value)}"


def _action(command: CommandLine, value: Value) -> str:
    match value.completes:
        case Completes.NOTHING:
            return " "
        case Completes.FILES:
            return "_files"
        case Completes.FOLDERS:
            return "_files -/"
        case Completes.CHOICES:
            return f"({' '.join(value.choices)})"
        case Completes.CANDIDATES:
            # With the space in front, _arguments adds no words of its own.
            return f' _atectl_ask "{" ".join(command.path)}" {value.name}'


def _name(command: CommandLine) -> str:
    return "_".join(("_atectl", *(command.path or ("root",))))


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
