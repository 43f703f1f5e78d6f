"""`ledger ls --watch` and `ledger ps --watch`: the lists on a live screen."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from atectl.ledger_store.results import AccountList, LeaseList

from ..terminal.frames import is_ascii_only

if TYPE_CHECKING:
    from rich.console import RenderableType


def watch_accounts(look: Callable[[], AccountList], *, is_table: bool) -> int:
    """Show the accounts live until q is pressed; the exit status.

    Raises:
        UsageError: there is no terminal for it, or what is asked for is no table (exit 2).
    """
    from .view import accounts_table

    return _watch(lambda: accounts_table(look().accounts, time.time()), is_table=is_table)


def watch_leases(look: Callable[[], LeaseList], *, is_table: bool) -> int:
    """Show the unfinished leases live until q is pressed; the exit status.

    Raises:
        UsageError: there is no terminal for it, or what is asked for is no table (exit 2).
    """
    from .view import running_table

    ascii_only = is_ascii_only(sys.stdout)
    return _watch(
        lambda: running_table(look().leases, time.time(), ascii_only=ascii_only),
        is_table=is_table,
    )


def _watch(view: "Callable[[], RenderableType]", *, is_table: bool) -> int:
    # Help and completions load every command, and need none of this.
    from ..terminal.watching import require_screen, watch_view

    require_screen(is_table=is_table)
    return watch_view(view)
