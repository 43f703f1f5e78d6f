"""`locks ls --watch`: the locks on a live screen, each judged by all looks at it."""

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from atectl.errors import AtectlError
from atectl.locks.listing import list_watched
from atectl.locks.sorting import ORDER_OF, SortBy
from atectl.locks.survey import Listing, Rows
from atectl.locks.verdicts import Watch
from atectl.redis.reading import Reading

from ..terminal.frames import is_ascii_only
from ..terminal.live import Live
from ..terminal.screen import LiveScreen
from .screen_state import Event, Listed, ListingFailed, LocksScreen, Tick, reduce
from .screen_view import locks_screen

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

INTERVAL_S = 1.0


def watch_locks(connection: "RedisConnection", listing: Listing) -> int:
    """Show the locks live until the screen is left; the exit status."""
    watch = Watch(listing.lock_ttl_s)
    # The screen sorts and limits itself, as its keys say.
    everything = listing._replace(order=None, limit=None)

    def look() -> Listed | ListingFailed:
        try:
            reading = Reading(connection)
            locks = list_watched(reading, listing.selection, watch)
            rows = Rows(locks, everything, reading)
            listed = tuple(rows)
            missing = "; ".join(gap.message for gap in rows.incomplete)
            return Listed(listed, time.monotonic(), missing)
        except AtectlError as error:
            return ListingFailed(str(error))

    state = LocksScreen(listing.lock_ttl_s, listing.order or ORDER_OF[SortBy.actor], listing.limit)
    view = partial(locks_screen, ascii_only=is_ascii_only(sys.stdout))
    live: Live[LocksScreen, Event] = Live(
        state, look, reduce, view, interval_s=INTERVAL_S, tick=lambda: Tick(time.monotonic())
    )
    return LiveScreen[LocksScreen, Event](live).run()
