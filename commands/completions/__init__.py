"""`atectl completions`."""
