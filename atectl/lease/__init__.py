"""One run of a capsule for one principal under one quota."""
