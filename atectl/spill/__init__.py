"""Guest memory on disk."""
