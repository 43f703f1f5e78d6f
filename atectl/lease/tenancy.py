"""A lease among the others of its process."""

from typing import NamedTuple

from atectl.arbitration.arbiter import Arbiter
from atectl.lease.store_pool import StorePool


class Tenancy(NamedTuple):
    """Who arbitrates among the leases of a process, and under which number one stands there.

    Numbers are unique; a lease of higher priority is more important. `pool` has the stores that
    leases of the same reactor and principal leave behind, None if they leave none.
    """

    arbiter: Arbiter
    number: int
    priority: int = 0
    pool: StorePool | None = None
