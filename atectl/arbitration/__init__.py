"""One limit for many leases: who waits, is parked, spilled, let go on."""
