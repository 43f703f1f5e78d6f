"""Every kind of store that there is: what holds for one is tested on all."""

from pathlib import Path
from typing import Protocol

from atectl.accounting import MAX_PRINCIPALS
from atectl.ledger_store.records import LedgerStore
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, NOW, is_gone


class Place(Protocol):
    """A place where stores of one ledger can be opened, here and in other processes."""

    def __init__(self, folder: Path) -> None: ...

    def open(self, capacity: int = MAX_PRINCIPALS) -> LedgerStore: ...

    def opening_source(self) -> str:
        """A program's text that opens such a store as `store`."""
        ...


class SqlitePlace:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"

    def open(self, capacity: int = MAX_PRINCIPALS) -> LedgerStore:
        return SqliteLedgerStore(
            self.path, host=HOST, capacity=capacity, clock=lambda: NOW + 1, is_gone=is_gone
        )

    def opening_source(self) -> str:
        return (
            "from pathlib import Path\n"
            "from atectl.ledger_store.sqlite.store import SqliteLedgerStore\n"
            f"store = SqliteLedgerStore(Path({str(self.path)!r}), host={HOST!r},"
            " busy_timeout_s=30)\n"
        )


PLACES: list[type[Place]] = [SqlitePlace]
