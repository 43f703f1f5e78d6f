"""What is damaged of records that were read from a ledger."""

from collections.abc import Iterable, Iterator

from atectl.errors import LedgerCorrupt
from atectl.ledger_store.records import AccountRecord, LeaseRecord

RESET = (
    "`atectl ledger reset PRINCIPAL` forgets an account with its leases, "
    "and leases that name nobody"
)
"""The remedy of a damaged record."""

_NAMED = 5
"""How many damaged numbers are named."""


def damage_of(records: Iterable[AccountRecord | LeaseRecord]) -> LedgerCorrupt | None:
    """A warning that names the numbers of these records that are damaged; None if none is."""
    found = [f"{name} of {whose}" for record in records for name, whose in _damaged(record)]
    if not found:
        return None
    more = len(found) - _NAMED
    named = ", ".join(found[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return LedgerCorrupt(
        f"numbers of the ledger are damaged: {named}",
        remedy=RESET,
    )


def _damaged(record: AccountRecord | LeaseRecord) -> Iterator[tuple[str, str]]:
    whose = f"lease {record.id}" if isinstance(record, LeaseRecord) else record.principal
    for name, value in zip(record._fields, record, strict=True):
        if value != value:  # that is so for not-a-number alone
            yield name, whose
