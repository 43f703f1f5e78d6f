"""What the leases of a host share: the cache of compiled capsules, and a ledger."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from atectl import config
from atectl.accounting import Quota, charged_state_bytes
from atectl.capsule.limits import DEFAULT_LIMITS, CompileLimits
from atectl.capsule.loading import Capsule, Uncompiled, find, required
from atectl.engine.settings import DEFAULT_SETTINGS, EngineSettings
from atectl.errors import AtectlError, CacheUnusable
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import HISTORY_LEASES, LedgerStore
from atectl.system.descriptors import raise_limit

if TYPE_CHECKING:
    from atectl.capsule.cache import ArtifactCache
    from atectl.capsule.compilation import Compilation
    from atectl.capsule.mapped_capsule import MappedCapsule
    from atectl.engine.metered import Engine
    from atectl.lease.lease import Lease
    from atectl.ledger_store.flusher import LeaseFlusher


class Runtime:
    """Makes leases that share an engine, a cache and a ledger. To be closed.

    Args:
        ledger_flag: the value of `--ledger`: the file of the ledger; "none" stores no ledger.
        uses_cache: whether compiled capsules are taken from the cache, and kept there.
        target: how the engine is made that the leases run on, here or elsewhere.
        compiling: what compiling a capsule may cost.

    Raises:
        BadConfiguration: atectl.toml cannot be used (exit 2).

    Attributes:
        cache: where compiled capsules are kept; None if each is compiled anew.
        uses_network: whether the ledger is stored on a server.
        ledger: what is known about the leases; it exists even if no ledger is stored.
        warnings: what went wrong without hindering a lease.
    """

    def __init__(
        self,
        ledger_flag: str | None = None,
        *,
        uses_cache: bool = True,
        target: EngineSettings = DEFAULT_SETTINGS,
        compiling: CompileLimits = DEFAULT_LIMITS,
        host_name: str | None = None,
    ) -> None:
        raise_limit()
        self.target = target
        self.compiling = compiling
        self._ledger_flag = ledger_flag
        place = config.ledger_place(ledger_flag)
        self._is_stored = place is not None
        self.uses_network = isinstance(place, str)
        if isinstance(place, str):
            from atectl.ledger_store.opening import require_place

            require_place(place)
        self._flusher: LeaseFlusher | None = None
        self.warnings: list[AtectlError] = []
        ended_kept = HISTORY_LEASES if self._is_stored else 0
        self.ledger = ProcessLedger(ended_kept=ended_kept, host_name=host_name)
        self._engine: Engine | None = None
        self.cache = self._open_cache() if uses_cache else None

    @property
    def engine(self) -> "Engine":
        """The engine of leases that run in this process. One that runs none here needs none."""
        if self._engine is None:
            from atectl.engine.metered import Engine

            self._engine = Engine(self.target)
        return self._engine

    def load(
        self,
        path: Path,
        quota: Quota,
        until: float | None = None,
        begun: "Callable[[Compilation], None] | None" = None,
        *,
        as_command: bool = False,
    ) -> "MappedCapsule | Capsule":
        """The capsule at `path`, from the cache or compiled: see `capsule.loading.load`.

        Args:
            quota: under which it is to run. If its state is over that, of which its code may be
                most, its code is not mapped: a lease of it is refused.
            as_command: whether it needs an entry point, so that one without is not compiled.
        """
        from atectl.capsule.mapped_capsule import load_mapped

        load = partial(self._load, path, until, begun, as_command=as_command)
        capsule = load()
        if charged_state_bytes(capsule.creates.state_bytes) > quota.memory_bytes:
            self._note_cache_error(capsule)
            return capsule._replace(artifact=None)
        mapped = load_mapped(self.engine, self.cache, load, capsule)
        self._note_cache_error(mapped.capsule)
        return mapped

    def lease(
        self,
        capsule: "MappedCapsule | Capsule",
        terms: Terms,
        began_s: float | None = None,
    ) -> "Lease":
        """A lease that has yet to be started. From its start on it is in the ledger.

        Args:
            began_s: when its time begins to count, by `time.monotonic`; None means from now on.
        """
        from atectl.lease.lease import Lease

        return Lease(self.engine, capsule, terms, self.ledger, None, began_s)

    def charge_for_refusal(self, capsule: str, terms: Terms, error: AtectlError) -> bool:
        """Charge a principal for trying to compile a capsule that could then not be run.

        Args:
            capsule: the name of its file.

        Returns:
            Whether there is anything new in the ledger.
        """
        if not error.compile_cpu_s:
            return False
        from atectl.lease.never_started import charge

        charge(self.ledger, capsule, terms, error)
        return True

    def store_ledger(self) -> None:
        """Store the ledger from now on, if it is to be stored. Best called once a guest runs."""
        if not self._is_stored:
            return
        from atectl.ledger_store.flusher import FAR_INTERVAL_S, INTERVAL_S, LeaseFlusher

        interval_s = FAR_INTERVAL_S if self.uses_network else INTERVAL_S
        self._flusher = LeaseFlusher(self._open_store, self.ledger, interval_s=interval_s)
        self._flusher.start()

    def close(self) -> AtectlError | None:
        """Store the last state of the leases, and drop the engine if there is one; idempotent.

        Returns:
            Why the ledger may not have been stored; None if it was, or if none is stored.
        """
        failure = None if self._flusher is None else self._flusher.close()
        if self._engine is not None:
            self._engine.close()
        return failure

    def _load(
        self,
        path: Path,
        until: float | None,
        begun: "Callable[[Compilation], None] | None",
        *,
        as_command: bool,
    ) -> Capsule:
        found = find(self.target, path, self.cache, self.compiling)
        if isinstance(found, Capsule):
            return found
        return self._compile(found, until, begun, as_command=as_command)

    def _note_cache_error(self, capsule: Capsule) -> None:
        if capsule.cache_error is not None:
            self.warnings.append(capsule.cache_error)

    def _compile(
        self,
        found: Uncompiled,
        until: float | None,
        begun: "Callable[[Compilation], None] | None",
        *,
        as_command: bool,
    ) -> Capsule:
        from atectl.capsule.compiler import Compiler

        with found, Compiler(self.engine, self.compiling) as compiler:
            compiled = found.compile(compiler, until, begun, as_command=as_command)
            return required(compiled, found.name, found.verdict)

    def _open_cache(self) -> "ArtifactCache | None":
        from atectl.capsule.cache import ArtifactCache

        try:
            return ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())
        except CacheUnusable as error:
            self.warnings.append(error)
            return None

    def _open_store(self) -> LedgerStore:
        from atectl.ledger_store.opening import open_for_writing

        return open_for_writing(self._ledger_flag)
