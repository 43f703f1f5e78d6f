"""The program from its first step on: the script `atectl`, and `python -m atectl`.

It imports next to nothing before Ctrl-C is taken care of. Until `main` of the commands hears it,
Ctrl-C ends the process at once. Python's own handler would show where the import was.
"""

import _signal  # `signal` imports `enum`, which takes longer than `--version` does
import os


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


# Whoever started the program may have had it ignored.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _leave)


def main() -> None:
    """The `atectl` program."""
    from atectl.commands.main import main as begin

    begin()


if __name__ == "__main__":
    main()
