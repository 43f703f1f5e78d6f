"""Which accounts and leases a listing is about."""

import time
from typing import NamedTuple

from atectl.ledger_store.records import AccountRecord, LeaseRecord, storable_text
from atectl.units import parse_duration


class Narrowing(NamedTuple):
    """What is listed: of this principal, label and host, and heard of since so long."""

    principal: str | None = None
    label: str | None = None
    host: str | None = None
    since: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything is left out for its label, its host or its age."""
        return (self.label, self.host, self.since) != (None, None, None)

    def leases(self, found: list[LeaseRecord]) -> list[LeaseRecord]:
        """Those of the leases that it is about.

        Raises:
            BadDuration: `since` is none (exit 2).
        """
        begins = self._begins()
        return [
            each
            for each in found
            if self.principal in (None, each.principal)
            and (self.label is None or storable_text(self.label) == each.label)
            and (self.host is None or storable_text(self.host) == each.host)
            and not each.updated_at < begins
        ]

    def accounts(self, found: list[AccountRecord]) -> list[AccountRecord]:
        """Those of the accounts that it is about; see `leases`."""
        begins = self._begins()
        return [
            each
            for each in found
            if self.principal in (None, each.principal) and not each.updated_at < begins
        ]

    def _begins(self) -> float:
        return 0.0 if self.since is None else time.time() - parse_duration(self.since)
