"""Where a batch runs: on this machine, or on the hosts of a fleet."""

from ..output.stderr import quietly
from .arguments import parse


def batch(words: list[str]) -> int:
    """Run the words after `atectl batch`; the exit status.

    Raises:
        AtectlError: nothing was run, or the host could not go on.
        HelpWanted: help was asked for.
    """
    request = parse(words)
    if request.fleet is None:
        from .running import run_batch

        with quietly(is_on=request.is_quiet):
            return run_batch(request)
    # Few batches run elsewhere; the others should not pay for this import.
    from .on_hosts import run_on_hosts

    with quietly(is_on=request.is_quiet):
        return run_on_hosts(request, request.fleet)
