"""`atectl inspect`: what a capsule is, what is in it and what it needs, without running it."""

from typing import Annotated

import typer

from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = CommandGroup()

SOMETHING_WRONG = 1

HELP = "\n\n".join(
    (
        "Show what is in a capsule, and what it needs to run.",
        "Nothing of it is compiled or run, and whether it is valid is not checked. Of a file that "
        "is cut off or damaged, what can be read is shown.",
        "Exit status: 0, or 1 the file is cut off or damaged, 2 usage, 125 atectl failed, "
        "126 not a capsule, 127 no such file.",
    )
)


@app.command(help=HELP)
def inspect(
    capsule: Annotated[
        str,
        typer.Argument(
            metavar="CAPSULE|-",
            help="A capsule, as it is or compressed or encoded; or a Capsule.toml; - is stdin.",
            show_default=False,
        ),
    ],
    output: OutputOption = Output.table,
) -> None:
    from atectl.capsule.inspection import inspect as inspected
    from atectl.capsule.source import path_of

    inspection = inspected(path_of(capsule))
    if output is Output.json:
        print_json(inspection)
    else:
        from .view import inspection_view

        print_view(inspection_view(inspection), output)
    if inspection.faults:
        raise typer.Exit(SOMETHING_WRONG)
