"""`atectl locks`: who holds which actor, whether they are alive, and letting go safely."""

from ..options.help import CommandGroup
from .acl import acl
from .audit import audit
from .command_words import HoldingCommand
from .demo import demo
from .hold import HELP as HOLD_HELP
from .hold import hold
from .ls import ls
from .release import release
from .show import show

app = CommandGroup(no_args_is_help=True, help="Show, judge, release and hold actor locks.")
app.command()(ls)
app.command()(show)
app.command()(release)
app.command(help=HOLD_HELP, cls=HoldingCommand)(hold)
app.command()(audit)
app.command()(acl)
app.command()(demo)
