"""What leases of tests run on."""

from atectl.lease.runtime import Runtime


def bare(ledger: str = "none") -> Runtime:
    """A runtime that compiles each capsule anew, and stores its ledger nowhere unless told."""
    return Runtime(ledger, uses_cache=False)
