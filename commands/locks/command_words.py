"""Where the options of `locks hold` end: at the command's first word, as with timeout and nice."""

from collections.abc import Sequence
from typing import Any

from typer._click import Context

from ..options.help import HelpCommand
from ..options.renamed import with_old_names

_END = "--"


class HoldingCommand(HelpCommand):
    """A command that takes an actor and then a command, whose options are the command's own."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_end_of_options(self.params, args))


def with_end_of_options(parameters: Sequence[Any], words: list[str]) -> list[str]:
    """The words with `--` before the second that is no option, unless there is one already."""
    takes_value = {
        name: not getattr(each, "is_flag", False)
        for each in parameters
        for name in (*each.opts, *each.secondary_opts)
        if name.startswith("-")
    }
    for each, name in with_old_names(parameters):
        takes_value[name] = not getattr(each, "is_flag", False)
    arguments = place = 0
    while place < len(words) and words[place] != _END:
        word = words[place]
        if not word.startswith("-") or word == "-":
            arguments += 1
            if arguments == 2:
                return [*words[:place], _END, *words[place:]]
        elif takes_value.get(word, False):
            place += 1
        place += 1
    return words
