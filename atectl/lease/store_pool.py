"""Idle stores of reactors, each kept only for the next lease of the same capsule and principal.

A kept store has its memory, as large as the last lease left it. The next lease is charged only for
its own growth.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from wasmtime import Store  # noqa: TID253

from atectl.accounting import Principal, Quota
from atectl.capsule.loading import Capsule
from atectl.engine.memory import LeaseMemory
from atectl.engine.wasi import Folder
from atectl.lease.terms import Terms

MAX_STORES = 256
"""The most stores that are kept in all: each reserves 4 GiB of address space."""


class PoolKey(NamedTuple):
    """What two leases must have in common to use the same store, one after the other.

    Variables and folders are part of it, because a guest may read them once and remember them.
    """

    capsule_sha256: str
    principal: Principal
    quota: Quota
    environment: tuple[tuple[str, str], ...]
    folders: tuple[Folder, ...]


class KeptStore(NamedTuple):
    """A store whose last guest returned, with what another lease needs to use it."""

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
        forget_idle: called with the bytes that a store held when it is dropped.
    """

    def __init__(self, most_each: int, forget_idle: Callable[[int], None]) -> None:
        self._most_each = most_each
        self._forget_idle = forget_idle
        self._lock = threading.Lock()
        self._stores: dict[PoolKey, list[KeptStore]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._stores.values()))

    @staticmethod
    def key_of(capsule: Capsule, terms: Terms) -> PoolKey | None:
        """The key of the stores that a lease may use; None if its store ends with it."""
        if terms.invoke is None or capsule.kind != "module" or terms.quota.fuel is not None:
            return None
        principal, quota, wasi = terms[:3]
        return PoolKey(capsule.sha256, principal, quota, wasi.environment, wasi.folders)

    def take(self, key: PoolKey) -> KeptStore | None:
        """Take a store out of the pool; None if there is none."""
        with self._lock:
            kept = self._stores.get(key)
            if not kept:
                return None
            found = kept.pop()
            if not kept:
                del self._stores[key]
        return found

    def put(self, key: PoolKey, store: KeptStore) -> None:
        """Keep a store for a later lease, or drop it if enough are kept."""
        with self._lock:
            kept = self._stores.pop(key, [])
            is_kept = len(kept) < self._most_each
            self._stores[key] = [*kept, store] if is_kept else kept
            dropped = self._beyond_most() if is_kept else [store]
        for each in dropped:
            self._drop(each)

    def _beyond_most(self) -> list[KeptStore]:
        """If there are too many, take out those of the key that was put back longest ago."""
        if sum(map(len, self._stores.values())) <= MAX_STORES:
            return []
        return self._stores.pop(next(iter(self._stores)))

    def clear(self) -> None:
        """Drop every store."""
        with self._lock:
            stores = [store for kept in self._stores.values() for store in kept]
            self._stores = {}
        for store in stores:
            self._drop(store)

    def _drop(self, store: KeptStore) -> None:
        # Not under the lock: `forget_idle` calls the arbiter, which has its own lock.
        held_bytes = store.held_bytes
        store.store.close()
        self._forget_idle(held_bytes)
