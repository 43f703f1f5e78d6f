"""What was recorded of a host, read back, checked and replayed."""
