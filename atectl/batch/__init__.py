"""Many jobs in one host."""
