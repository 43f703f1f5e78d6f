"""`atectl terminal`."""
