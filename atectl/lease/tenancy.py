"""A lease among the other leases of its process."""

from typing import TYPE_CHECKING, NamedTuple

from atectl.arbitration.arbiter import Arbiter

if TYPE_CHECKING:
    from atectl.lease.store_pool import StorePool


class Tenancy(NamedTuple):
    """The arbiter among the leases of a process, and the number of one lease there.

    Numbers are unique; a lease of higher priority is more important. `pool` has the stores that
    earlier leases of the same reactor and principal left; None if none are kept.
    """

    arbiter: Arbiter
    number: int
    priority: int = 0
    pool: "StorePool | None" = None
