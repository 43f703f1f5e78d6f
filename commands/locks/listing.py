"""How `locks ls` shows the locks it finds: as JSON, or as a table that may be drawn twice."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError
from atectl.locks.charged import ChargedLock
from atectl.locks.results import LockList, lock_entry
from atectl.locks.survey import Listing, Rows, survey
from atectl.locks.verdicts import Verdict
from atectl.redis.reading import Gap

from ..output.stderr import say
from ..output.stdout import Output, lines_taken, print_json_list, print_view, stdout_console
from ..terminal.countdown import status_line
from ..terminal.frames import can_draw

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


class Shown(NamedTuple):
    """What a listing came to: the verdicts of all locks, and what could not be read."""

    verdicts: set[Verdict]
    incomplete: tuple[Gap, ...]


def print_json_listing(connection: "RedisConnection", listing: Listing) -> Shown:
    """Print the locks as JSON, where possible while they are found."""
    with status_line() as show:
        rows = survey(
            connection,
            listing,
            # On a terminal, progress would be drawn over what is being printed.
            on_progress=None if sys.stdout.isatty() else lambda count: show(_progress(count)),
        )

        def rest(failure: AtectlError | None) -> LockList:
            gaps = rows.incomplete
            return LockList((), gaps if failure is None or gaps else (Gap.of(failure),))

        print_json_list("locks", map(lock_entry, rows), rest)
    return Shown(rows.verdicts, rows.incomplete)


def print_table(
    connection: "RedisConnection", listing: Listing, output: Output = Output.table
) -> Shown:
    """Draw the locks as a table, on a terminal after each look at them."""
    lines = 0

    def draw_first(first: Rows) -> None:
        nonlocal lines
        show("")
        shown = list(first)
        if sys.stdout.isatty() and shown:
            lines = _draw(shown, listing.lock_ttl_s, output)

    with status_line() as show:
        rows = survey(
            connection,
            listing,
            on_first=draw_first,
            on_progress=lambda count: show(_progress(count)),
        )
        found = list(rows)
    _clear(lines)
    if found:
        _draw(found, listing.lock_ttl_s, output)
    else:
        has_missed = rows.looked_at or listing.selection.pattern
        say("no such locks" if has_missed or rows.incomplete else "no actor locks")
    return Shown(rows.verdicts, rows.incomplete)


def _progress(count: int) -> str:
    return f"{count:,} locks …"


def _draw(rows: Sequence[ChargedLock], lock_ttl_s: float, output: Output) -> int:
    """Print the table. Returns how many lines of the terminal it takes; 0 if there is none."""
    from .view import locks_view

    view = locks_view(rows, lock_ttl_s, ascii_only=stdout_console().options.ascii_only)
    print_view(view, output)
    return lines_taken(view, output)


def _clear(lines: int) -> None:
    """Erase the last lines on the terminal. Where that is not possible, leave an empty line."""
    if not lines:
        return
    if can_draw() and lines < stdout_console().height:
        sys.stdout.write(f"\x1b[{lines}F\x1b[J")
    else:
        sys.stdout.write("\n")
