"""`atectl batch`."""
