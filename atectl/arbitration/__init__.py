"""One memory limit for many leases: which of them wait, are parked, spilled or go on."""
