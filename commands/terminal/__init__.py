"""What commands do with a terminal: live screens, keys, signals, and waiting."""
