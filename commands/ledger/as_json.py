"""The ledger's records under the field names that scripts rely on."""

from typing import Any

from atectl.ledger_store.records import AccountRecord, LeaseRecord

from ..output.stdout import rfc3339

_TIMES = ("since", "updated_at", "started_at", "finished_at")


def account_json(account: AccountRecord) -> dict[str, Any]:
    """One account: sizes in bytes, times in RFC 3339."""
    return _with_readable_times(account._asdict())


def lease_json(lease: LeaseRecord) -> dict[str, Any]:
    """One lease, running or finished; what has not happened yet is null."""
    fields = _with_readable_times(lease._asdict())
    # How its process is told from another with the same pid is between hosts and stores.
    del fields["process"]
    return fields


def _with_readable_times(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {name: rfc3339(fields[name]) for name in _TIMES if name in fields}
