"""`atectl man`: the manual pages, made from the commands."""
