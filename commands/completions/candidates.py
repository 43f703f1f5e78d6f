"""What completion files ask for at each TAB, answered without Typer: importing it would be felt."""

import os

from atectl.inert import inert_line

from ..options.candidates import CANDIDATES


def print_candidates(words: list[str]) -> bool:
    """Print the values that complete a parameter, one on each line.

    Args:
        words: those after `atectl completions candidates`, as a completion file puts them.

    Returns:
        Whether that was all. If not, Typer has to find the parameter, or what is wrong with it.
    """
    match words:
        case ["--ledger", ledger, "--", _command, parameter, incomplete]:
            pass
        case ["--", _command, parameter, incomplete]:
            ledger = ""
        case _:
            return False
    if parameter not in CANDIDATES:
        return False
    if ledger:
        os.environ["ATECTL_LEDGER"] = ledger
    values = CANDIDATES[parameter](incomplete)
    print_typable([value for value in values if value.startswith(incomplete)])
    return True


def print_typable(values: list[str]) -> None:
    """Print values, one on each line, but for those that a line cannot hold."""
    for value in values:
        # A value with a line break or a control character could not be typed.
        if value == inert_line(value):
            print(value)
