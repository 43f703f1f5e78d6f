"""The budget file: read, checked, planned."""
