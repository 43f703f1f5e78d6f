"""Whether atectl can do its work here."""
