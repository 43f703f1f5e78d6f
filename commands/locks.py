"""`atectl locks`: who holds which actor, whether they are alive, and letting go safely."""

import typer

from .locks_audit import audit
from .locks_hold import HELP as HOLD_HELP
from .locks_hold import hold
from .locks_ls import ls
from .locks_release import release
from .locks_show import show

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show, judge, release and hold actor locks."
)
app.command()(ls)
app.command()(show)
app.command()(release)
app.command(help=HOLD_HELP)(hold)
app.command()(audit)
