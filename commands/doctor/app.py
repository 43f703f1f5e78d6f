"""`atectl doctor`: whether atectl works on this machine, and what to do if it does not."""

import typer

from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = CommandGroup()


@app.command()
def doctor(output: OutputOption = Output.table) -> None:
    """Check the installation, the cache, the ledger, the engine and the machine.

    Nothing is changed.

    Exit status: 1 if there is a problem.
    """
    from atectl.finding import Verdict
    from atectl.health.checks import report

    found = report()
    if output is Output.json:
        print_json(found)
    else:
        from .view import checks_table

        print_view(checks_table(found.checks), output)
    if found.verdict is Verdict.PROBLEM:
        raise typer.Exit(1)
