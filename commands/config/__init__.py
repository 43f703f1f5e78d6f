"""`atectl config`: every setting, and where it comes from."""
