"""`atectl budget`."""
