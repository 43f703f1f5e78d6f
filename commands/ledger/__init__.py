"""`atectl ledger`."""
