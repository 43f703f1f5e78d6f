"""`atectl output`."""
