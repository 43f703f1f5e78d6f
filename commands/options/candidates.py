"""Values that shells complete from the ledger. If it cannot be read, there are none."""

from collections.abc import Callable, Iterable
from contextlib import closing

from atectl.errors import AtectlError
from atectl.ledger_store.records import LedgerStore


def complete_principal(incomplete: str) -> list[str]:
    """Principals in the ledger that begin with `incomplete`, in alphabetical order."""

    def principals(store: LedgerStore) -> list[str]:
        return [account.principal for account in store.accounts()]

    return _beginning(incomplete, principals)


def complete_label(incomplete: str) -> list[str]:
    """Labels of running and recent leases that begin with `incomplete`."""

    def labels(store: LedgerStore) -> list[str]:
        return [lease.label for lease in (*store.running(), *store.history(limit=1000))]

    return _beginning(incomplete, labels)


def _beginning(incomplete: str, read: Callable[[LedgerStore], Iterable[str]]) -> list[str]:
    from atectl.ledger_store.opening import open_for_reading

    try:
        with closing(open_for_reading()) as store:
            words = set(read(store))
    except AtectlError:
        return []
    return sorted(word for word in words if word and word.startswith(incomplete))
