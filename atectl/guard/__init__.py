"""A command that ends in time."""
