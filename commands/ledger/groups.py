"""What runs by host or by capsule, as `atectl ledger ls --by` shows it."""

from atectl.ledger_store.overview import GroupBy, GroupList

from ..output.stderr import say
from ..output.stdout import ListOutput, print_csv, print_json, print_view


def show_groups(found: GroupList, by: GroupBy, output: ListOutput) -> None:
    """Print what runs, in the form that was asked for."""
    if output is ListOutput.json:
        print_json(found)
    elif output is ListOutput.csv:
        print_csv(found)
    elif not found.groups:
        say("no running leases; `atectl ledger usage` tells what was used")
    else:
        from .groups_view import groups_table

        print_view(groups_table(found.groups, by), output)
