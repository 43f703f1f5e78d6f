"""`atectl options`."""
