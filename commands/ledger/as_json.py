"""The records of the ledger as JSON."""

from typing import Any

from atectl.ledger_store.records import AccountRecord, LeaseRecord

from ..output.stdout import rfc3339

_TIMES = ("since", "updated_at", "started_at", "finished_at")


def account_json(account: AccountRecord) -> dict[str, Any]:
    """One account; sizes in bytes, times in RFC 3339 UTC."""
    return _with_readable_times(account._asdict())


def lease_json(lease: LeaseRecord) -> dict[str, Any]:
    """One lease; what has not happened yet is null."""
    fields = _with_readable_times(lease._asdict())
    # `process` is internal: it tells apart two processes with the same pid.
    del fields["process"]
    return fields


def _with_readable_times(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {name: rfc3339(fields[name]) for name in _TIMES if name in fields}
