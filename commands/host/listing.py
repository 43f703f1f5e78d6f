"""`atectl host ls`: the hosts of a scheduler."""

from atectl.batch.fleet.listing import hosts_of

from ..options.fleet import TlsOptions, address_of
from ..output.stdout import ListOutput, print_csv, print_json, print_view


def list_hosts(on: str, tls: TlsOptions, output: ListOutput, *, insecure: bool) -> None:
    """List the hosts of the scheduler at `on`.

    Raises:
        AtectlError: an option cannot be used (exit 2), or the scheduler not reached (exit 125).
    """
    found = hosts_of(address_of(on, tls, insecure=insecure))
    if output is ListOutput.json:
        print_json(found)
    elif output is ListOutput.csv:
        print_csv(found)
    else:
        from .view import hosts_view

        print_view(hosts_view(found), output)
