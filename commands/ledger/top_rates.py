"""How fast running leases use CPU time and grow, by what two samples of the ledger say of them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from atectl.ledger_store.records import LeaseRecord


class Rate(NamedTuple):
    """What a lease does now: cores that it uses, and bytes that it grows by in a second."""

    cores: float
    bytes_per_s: float


class Rates(NamedTuple):
    """The rates of leases by their ids, and the records that they were last found by."""

    found: Mapping[str, Rate] = {}
    seen: Mapping[str, LeaseRecord] = {}

    def after(self, leases: Iterable[LeaseRecord]) -> "Rates":
        """The rates once these are what runs. One of which nothing new was told keeps its rate."""
        found, seen = {}, {}
        for lease in leases:
            before = self.seen.get(lease.id)
            seen[lease.id] = lease
            if before is None:
                continue
            passed_s = lease.updated_at - before.updated_at
            if passed_s > 0:
                cores = max(lease.cpu_s - before.cpu_s, 0.0) / passed_s
                grown = (lease.current_bytes - before.current_bytes) / passed_s
                found[lease.id] = Rate(cores, grown)
            elif lease.id in self.found:
                found[lease.id] = self.found[lease.id]
                seen[lease.id] = before
        return Rates(found, seen)


NO_RATES = Rates()
