"""Files and folders that are named by an empty word: a variable of the shell was not set.

Such a word would be taken for the folder that atectl is in.
"""

from typer._click.core import Parameter
from typer._click.parser import _OptionParser
from typer.core import TyperArgument
from typer.models import TyperPath

from .table import FILES, empty_word
from .typer_errors import name_of


def refuse_empty_paths(
    parser: _OptionParser, words: list[str], parameters: list[Parameter]
) -> None:
    """Refuse an empty word in the place of a file or folder.

    Raises:
        UsageError: there is one (exit 2).
    """
    values, _, _ = parser.parse_args(args=list(words))
    for each in parameters:
        value = values.get(each.name or "")
        is_empty = value == "" or (isinstance(value, list | tuple) and "" in value)
        if is_empty and (isinstance(each.type, TyperPath) or _names_file(each)):
            name = name_of(each) if isinstance(each, TyperArgument) else each.opts[0]
            raise empty_word(name)


def _names_file(parameter: Parameter) -> bool:
    return (parameter.metavar or "").startswith(FILES)
