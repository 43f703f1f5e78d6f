"""`atectl run`."""
