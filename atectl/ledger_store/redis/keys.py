"""The keys of a ledger in Redis, and what is kept for how long.

All have one hash tag, so in a cluster a ledger is on one primary, and a script can have all of it.
"""

from atectl.accounting import PERIOD_DAYS

SCHEMA_VERSION = 1
"""Of what the keys hold. It is raised when an older atectl could not read it any more."""

HEARTBEAT_S = 2.0
"""How often a host with running leases tells of them, at least."""

LOST_AFTER_S = 3 * HEARTBEAT_S
"""Leases of a host process of which nothing was heard for longer than this are lost."""

FORGET_AFTER_S = 3600.0
"""A host process that is silent for this long begins anew when it is heard of again."""

SILENCE_S = 7 * 86_400.0
"""A lost lease joins the finished ones after this long."""

LOST_LEASES = 1_000
"""Lost leases that stay listed among the unfinished, the newest."""

_TAG = "{atectl-ledger}"

META, ACCOUNTS, PEAKS, RUNNING, HEARD, FINISHED, ENDED, SESSIONS, SEQUENCES = (
    f"{_TAG}:{name}"
    for name in (
        "meta", "accounts", "peaks", "running", "heard", "finished", "ended", "sessions",
        "sequences",
    )
)  # fmt: skip

FOR_RESET = (META, ACCOUNTS, PEAKS, RUNNING, HEARD, FINISHED, ENDED, SESSIONS)
TOTALS, MERGED = f"{_TAG}:totals", f"{_TAG}:merged"
FOR_FLUSH = (*FOR_RESET, SEQUENCES, TOTALS, MERGED)


def day_keys(first: int, last: int) -> list[str]:
    """The keys of the sums of some days, at most the last 400 of them."""
    return [f"{_TAG}:day:{day}" for day in range(max(first, last - PERIOD_DAYS + 1), last + 1)]
