"""Records that leave atectl or come to it: how they are read, written and described."""
