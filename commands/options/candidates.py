"""Values that shells complete: principals and labels from the ledger, and codes of errors.

If the ledger cannot be read, there are none.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from atectl.errors import AtectlError, error_classes

if TYPE_CHECKING:
    from atectl.ledger_store.records import LedgerStore

BOUNDS = "bounds"
"""What `atectl explain` explains besides codes."""


def complete_principal(incomplete: str) -> list[str]:
    """Principals in the ledger that begin with `incomplete`, in alphabetical order."""

    def principals(store: "LedgerStore") -> list[str]:
        return [account.principal for account in store.accounts()]

    return _beginning(incomplete, principals)


def complete_label(incomplete: str) -> list[str]:
    """Labels of running and recent leases that begin with `incomplete`."""

    def labels(store: "LedgerStore") -> list[str]:
        return [lease.label for lease in (*store.running(), *store.history(limit=1000))]

    return _beginning(incomplete, labels)


def complete_lease(incomplete: str) -> list[str]:
    """Ids of the leases that run, and begin with `incomplete`."""
    return _beginning(incomplete, lambda store: [lease.id for lease in store.running()])


def complete_code(incomplete: str) -> list[str]:
    """What `atectl explain` explains and begins with `incomplete`, in upper or lower case."""
    codes = [error.code for error in error_classes() if error.code.startswith(incomplete.upper())]
    return [*codes, *([BOUNDS] if incomplete and BOUNDS.startswith(incomplete.lower()) else [])]


CANDIDATES: dict[str, Callable[[str], list[str]]] = {
    "principal": complete_principal,
    "label": complete_label,
    "lease": complete_lease,
    "code": complete_code,
}
"""What completes a parameter of this name, whichever command it is of."""


def _beginning(incomplete: str, read: "Callable[[LedgerStore], Iterable[str]]") -> list[str]:
    from atectl.ledger_store.opening import open_for_reading

    try:
        with closing(open_for_reading()) as store:
            words = set(read(store))
    except AtectlError:
        return []
    return sorted(word for word in words if word and word.startswith(incomplete))
