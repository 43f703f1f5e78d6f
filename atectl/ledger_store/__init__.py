"""Where the ledger lives between processes."""
