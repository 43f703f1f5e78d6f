"""`atectl host`."""
