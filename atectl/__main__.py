"""`python -m atectl`."""

from atectl.commands.main import main

main()
