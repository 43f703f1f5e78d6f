"""`atectl explain`: what an error code means, and what to do about it."""

from typing import Annotated

import typer

from atectl.errors import AtectlError, UnknownCode, error_classes, nearest

from ..options.candidates import BOUNDS, complete_code
from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = CommandGroup()


@app.command()
def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]",
            help="The code of an error, such as E102, or `bounds` for what is bounded and what is "
            "not; without it, all codes are listed.",
            show_default=False,
            autocompletion=complete_code,
        ),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Explain an error code, or list them all."""
    if code is not None and code.strip().lower() == BOUNDS:
        _show_bounds(output)
        return
    from atectl.records.errors import ErrorList, page_of

    errors = error_classes() if code is None else [find_error(code)]
    found = ErrorList(tuple(map(page_of, errors)))
    if output is Output.json:
        print_json(found)
        return
    from .view import error_page, error_table

    print_view(error_table(found) if code is None else error_page(found.errors[0]))


def _show_bounds(output: Output) -> None:
    from atectl.lease.bounds import all_bounds

    if output is Output.json:
        print_json(all_bounds())
        return
    from .view import bound_table

    print_view(bound_table(all_bounds()))


def find_error(code: str) -> type[AtectlError]:
    """The error with this code, in upper or lower case; its E may be left out.

    Raises:
        UnknownCode: no error has it (exit 2).
    """
    known = {error.code: error for error in error_classes()}
    word = code.strip().upper()
    found = known.get(f"E{word}" if word.isdecimal() else word)
    if found is None:
        raise UnknownCode(f"no error has the code {code!r}{nearest(code.upper(), list(known))}")
    return found
