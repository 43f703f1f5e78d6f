"""The walls that a process which runs guests can put around itself."""
