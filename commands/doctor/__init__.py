"""`atectl doctor`."""
