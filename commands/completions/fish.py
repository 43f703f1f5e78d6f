"""The completion file for fish: one `complete` an option, under the command it belongs to."""

from .tree import CommandLine, Completes, OptionNames, Value

_FUNCTIONS = r"""
# Whether the cursor is in a command, given by its words, and at its argument of that number,
# counted from 0. Behind the first argument, where a word is none of the options of a command
# that passes words on, the command is that one's with ` --` added.
function __atectl_at
    set -l path
    set -l place 0
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        set -l word $words[1]
        set -l placed (string join ' ' -- $path $word)
        set -e words[1]
        if contains -- $placed $__atectl_commands
            set path $placed
        else if contains -- $placed $__atectl_valued
            set -e words[1]
        else if contains -- $placed $__atectl_flags
            or contains -- (string replace -r '=.*' '' -- $placed) $__atectl_valued
            continue
        else if test "$word" = --
            set place (math $place + (count $words))
            contains -- "$path" $__atectl_passing; and set path "$path --"
            break
        else if test $place -gt 0; and contains -- "$path" $__atectl_passing
            set path "$path --"
            break
        else if not string match -q -- '-*' $word
            set place (math $place + 1)
        end
    end
    test "$path" = "$argv[1]"; or return
    not set -q argv[2]; or test $place -eq $argv[2]
end

# The folders that the word at the cursor may become, behind its option and = if it has them.
function __atectl_folders
    __fish_complete_directories (string replace -r '^--[^=]*=' '' -- (commandline -ct)) ''
end

# Asks atectl what the value of a parameter may be.
function __atectl_ask
    set -l words (commandline -opc)
    set -l ledger
    for i in (seq (count $words))
        switch $words[$i]
            case --ledger
                set ledger $words[(math $i + 1)]
            case '--ledger=*'
                set ledger (string replace -- --ledger= '' $words[$i])
        end
    end
    set -l program (string replace -r '^~/' $HOME/ -- $words[1])
    $program completions candidates --ledger "$ledger" -- $argv '' 2>/dev/null
end
"""


def script(tree: CommandLine) -> str:
    """The whole of `atectl.fish`."""
    commands = list(tree.walk())
    return "\n".join(
        [
            "# fish completion for atectl, written by `atectl completions show fish`.",
            "",
            _list("commands", [" ".join(command.path) for command in commands if command.path]),
            _list("passing", [" ".join(command.path) for command in commands if command.passes_on]),
            _list("valued", _names(commands, valued=True)),
            _list("flags", _names(commands, valued=False)),
            _FUNCTIONS,
            "complete -c atectl -f",
            *(line for command in commands for line in _command(command)),
            "",
        ]
    )


def _list(name: str, entries: list[str]) -> str:
    return " \\\n    ".join([f"set -g __atectl_{name}", *map(_quoted, entries)])


def _names(commands: list[CommandLine], *, valued: bool) -> list[str]:
    """The options that take a value, or those that do not, each behind its command's words."""
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
