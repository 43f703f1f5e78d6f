"""`atectl cache`."""
