"""What the commands of the ledger find, as they show it and as programs read it."""

from typing import Annotated, NamedTuple

from atectl.ledger_store.records import AccountRecord, LeaseRecord
from atectl.records.types import without

LeaseEntry = Annotated[LeaseRecord, without("process")]
"""A lease. What identifies its process is between hosts and stores."""


class AccountList(NamedTuple):
    """The accounts of a ledger: what each principal used, and holds now."""

    accounts: tuple[AccountRecord, ...]
    """In the order asked for."""


class LeaseList(NamedTuple):
    """Leases of a ledger: those that have not finished, or those that have."""

    leases: tuple[LeaseEntry, ...]
    """In the order asked for."""
