"""`atectl budget`: what a whole host may use, checked before anything starts."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..options.help import CommandGroup
from ..output.stderr import say
from .check import HELP as CHECK_HELP
from .check import check
from .plan import HELP as PLAN_HELP
from .plan import ForceOption, plan
from .simulate import simulate

STDOUT = "-"

app = CommandGroup(
    no_args_is_help=True,
    help="Check, plan and simulate what a whole host may use.",
)


@app.command()
def init(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="The file to write; - is stdout.")
    ] = "budget.toml",
    force: ForceOption = False,
) -> None:
    """Write a budget file with a comment for every key."""
    from atectl.budget.writing import TEMPLATE, write_budget
    from atectl.inert import inert_line

    if file == STDOUT:
        sys.stdout.write(TEMPLATE)
        return
    write_budget(Path(file), TEMPLATE, replace=force)
    say(inert_line(f"wrote {file}; `atectl budget check {file}` says whether it can be met"))


app.command(help=CHECK_HELP)(check)
app.command(help=PLAN_HELP)(plan)
app.command()(simulate)
