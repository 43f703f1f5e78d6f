"""Words of a command line as typed values, and back."""
