"""The completion file for zsh: one function a command, each a call of `_arguments`."""

import re

from .tree import CommandLine, Completes, OptionNames, Value

_HEAD = r"""#compdef atectl
# zsh completion for atectl, written by `atectl completions show zsh`.

# Asks atectl what the value of a parameter may be.
_atectl_ask() {
    local expl
    local -a found
    found=("${(@f)$($program completions candidates \
        --ledger "${(Q)${(Q)opt_args[--ledger]}}" -- "$1" "$2" '' 2>/dev/null)}")
    _wanted "$2" expl "$2" compadd -- "${(@)found:#}"
}

# Whether the cursor stands behind a command's first argument and then a word that is none of
# the command's options, which are given with a = if they take a value.
_atectl_is_passed_on() {
    local word
    local -i i arguments=0
    for (( i = 2; i < CURRENT; i++ )); do
        word=$words[i]
        if [[ $word == -- ]]; then
            return 0
        elif (( ${@[(Ie)$word=]} )); then
            (( i++ ))
        elif (( ${@[(Ie)$word]} || ${@[(Ie)${word%%=*}=]} )); then
            continue
        elif (( arguments )); then
            return 0
        elif [[ $word != -* ]]; then
            arguments=1
        fi
    done
    return 1
}

_atectl() {
    local program=${${(Q)words[1]}/#\~\//$HOME/} line
    local -A opt_args
    _atectl_root
}
"""

_TAIL = """
if [[ $funcstack[1] == _atectl ]]; then
    _atectl
else
    compdef _atectl atectl
fi
"""


def script(tree: CommandLine) -> str:
    """The whole of `_atectl`."""
    return _HEAD + "".join(_function(command) for command in tree.walk()) + _TAIL


def _function(command: CommandLine) -> str:
    if command.subcommands:
        lines = _group_body(command)
    elif command.passes_on:
        own = [
            f"{name}=" if option.value else name
            for option in command.options
            for name in option.names
        ]
        lines = [*_call("if _atectl_is_passed_on", own), "then", "    _files", "    return", "fi"]
        lines += _leaf_call(command)
    else:
        lines = _leaf_call(command)
    body = "".join(f"    {line}\n" for line in lines)
    return f"\n{_name(command)}() {{\n{body}}}\n"


def _leaf_call(command: CommandLine) -> list[str]:
    arguments = [
        f"{'*' if argument.is_repeatable else place}:{_value(command, argument)}"
        for place, argument in enumerate(command.arguments, start=1)
    ]
    return _call("_arguments -s -S :", [*_option_specs(command), *arguments])


def _group_body(command: CommandLine) -> list[str]:
    described = [f"{below.path[-1]}:{_escaped(below.summary)}" for below in command.subcommands]
    return [
        "local curcontext=$curcontext state",
        "local -i failed=1",
        *_call(
            "_arguments -C -s -S :",
            [*_option_specs(command), "1: :->command", "*:: :->below"],
            "&& failed=0",
        ),
        "case $state in",
        "command)",
        "    local -a commands=(",
        *(f"        {_quoted(each)}" for each in described),
        "    )",
        "    _describe -t commands command commands && failed=0",
        "    ;;",
        "below)",
        "    curcontext=${curcontext%:*:*}:atectl-$words[1]:",
        "    case $words[1] in",
        *(f"    {below.path[-1]}) {_name(below)} && failed=0 ;;" for below in command.subcommands),
        "    esac",
        "    ;;",
        "esac",
        "return failed",
    ]


def _call(program: str, words: list[str], then: str = "") -> list[str]:
    """A command with a word a line."""
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
    """What is offered no more once the option is there."""
    if option.ends_command:
        return "(- : *)"
    if option.is_repeatable:
        return "*"
    return f"({' '.join(option.names)})" if len(option.names) > 1 else ""


def _joint(name: str) -> str:
    return "=" if name.startswith("--") else "+"


def _value(command: CommandLine, value: Value) -> str:
    """The message and the action of a value."""
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
            # The space in front keeps _arguments from adding words of its own.
            return f' _atectl_ask "{" ".join(command.path)}" {value.name}'


def _name(command: CommandLine) -> str:
    return "_".join(("_atectl", *(command.path or ("root",))))


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
