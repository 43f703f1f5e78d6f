"""`atectl inspect`: one capsule in full, without running it."""
