"""A lease that is what a test says it is."""

from atectl.accounting import Observation
from atectl.ledger_store.records import LeaseRecord


class ToldLease:
    """As a ledger sees a lease: `now` is what it reads."""

    def __init__(self, now: LeaseRecord) -> None:
        self.id = now.id
        self.now = now

    def observation(self) -> Observation:
        return self.now.observation

    def record(self) -> LeaseRecord:
        return self.now
