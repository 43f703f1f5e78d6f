"""`atectl load`."""
