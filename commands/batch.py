"""`atectl batch`: many capsules under one limit, from a file or from lines on stdin."""

from .batch_arguments import parse
from .batch_run import run_batch


def batch(words: list[str]) -> int:
    """Run the words behind `atectl batch`; the exit status.

    Raises:
        AtectlError: nothing was run, or the host could not go on.
        HelpWanted: help was asked for.
    """
    return run_batch(parse(words))
