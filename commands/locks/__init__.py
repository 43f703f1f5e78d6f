"""`atectl locks`."""
