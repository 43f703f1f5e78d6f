"""`atectl schema`."""
