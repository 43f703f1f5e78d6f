"""Stores of reactors between two leases, each kept for one capsule and one principal alone.

A store that is kept has its memory, as large as its last leaseholder left it. The next one is
charged only what it grows itself.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from wasmtime import Store  # noqa: TID253

from atectl.accounting import Principal, Quota
from atectl.linear_memory import LeaseMemory
from atectl.wasi import Folder

MAX_STORES = 256
"""The most that are kept of all reactors together: each has reserved 4 GiB of address space."""


class PoolKey(NamedTuple):
    """What two leases must have in common to be given the same store, one after the other.

    What a guest reads once and remembers is part of it: its variables and its folders.
    """

    capsule_sha256: str
    principal: Principal
    quota: Quota
    environment: tuple[tuple[str, str], ...]
    folders: tuple[Folder, ...]


class KeptStore(NamedTuple):
    """A store whose last guest returned, with what it needs to be leased again."""

    store: Store
    instance: Any
    memory: LeaseMemory

    @property
    def held_bytes(self) -> int:
        return self.memory.meter.read().current_bytes


class StorePool:
    """Idle stores.

    Args:
        most_each: how many are kept for each key.
        count_idle: told by how many bytes the idle stores together hold more, or less.
    """

    def __init__(self, most_each: int, count_idle: Callable[[int], None]) -> None:
        self._most_each = most_each
        self._count_idle = count_idle
        self._lock = threading.Lock()
        self._stores: dict[PoolKey, list[KeptStore]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._stores.values()))

    def take(self, key: PoolKey) -> KeptStore | None:
        """A store to be leased again, None if there is none."""
        with self._lock:
            kept = self._stores.get(key)
            if not kept:
                return None
            found = kept.pop()
            if not kept:
                del self._stores[key]
        self._count_idle(-found.held_bytes)
        return found

    def put(self, key: PoolKey, store: KeptStore) -> None:
        """Keep a store for a later lease, or drop it if enough are kept."""
        self._count_idle(store.held_bytes)
        with self._lock:
            total = sum(map(len, self._stores.values()))
            kept = self._stores.get(key, [])
            is_kept = len(kept) < self._most_each and total < MAX_STORES
            if is_kept:
                self._stores[key] = [*kept, store]
        if not is_kept:
            self._drop(store)

    def clear(self) -> None:
        """Drop every store."""
        with self._lock:
            stores = [store for kept in self._stores.values() for store in kept]
            self._stores = {}
        for store in stores:
            self._drop(store)

    def _drop(self, store: KeptStore) -> None:
        # Not under the lock: the arbiter, which has one of its own, is told of it.
        self._count_idle(-store.held_bytes)
        store.store.close()
