"""`atectl doctor`: whether atectl works on this machine, and what to do if it does not."""

import typer

from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view

app = typer.Typer(add_completion=False)


@app.command()
def doctor(output: OutputOption = Output.table) -> None:
    """Check the installation, the cache, the ledger, the engine and the machine.

    The exit status is 1 if there is a problem. Nothing is changed.
    """
    from atectl.finding import Verdict
    from atectl.health.checks import examine, worst_verdict

    checks = examine()
    verdict = worst_verdict(checks)
    if output is Output.json:
        rows = [
            {
                "name": check.name,
                "verdict": check.finding.verdict.value,
                "found": check.finding.found,
                "remedy": check.finding.remedy or None,
            }
            for check in checks
        ]
        print_json({"verdict": verdict.value, "checks": rows})
    else:
        from .view import checks_table

        print_view(checks_table(checks))
    if verdict is Verdict.PROBLEM:
        raise typer.Exit(1)
