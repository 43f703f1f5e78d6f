"""The command line: one module a subcommand group. Each parses, calls the core, and shows."""
