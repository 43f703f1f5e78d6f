"""`atectl explain`."""
