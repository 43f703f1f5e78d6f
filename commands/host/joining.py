"""`atectl host join`: the host that it makes, and its life."""

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING, NamedTuple, get_args

from atectl import config
from atectl.batch.batch import Batch
from atectl.batch.fleet.carrier import require_dask
from atectl.batch.fleet.errors import BadShare
from atectl.batch.fleet.host import FleetHost
from atectl.batch.fleet.joining import Joined
from atectl.batch.fleet.shares import Shares, parse_share
from atectl.batch.fleet.store import CapsuleStore
from atectl.batch.reserved import Reserved, reserve
from atectl.batch.settings import BatchSettings, Isolation
from atectl.budget.file import HostSettings
from atectl.engine.settings import EngineSettings
from atectl.errors import TERMINATED_STATUS, UsageError, quoted
from atectl.inert import inert_line
from atectl.lease.runtime import Runtime
from atectl.system.identity import identities
from atectl.units import parse_duration, size_or_none

from ..options.bounds import BoundOptions, store_bounds
from ..options.compiling import CompileOptions, compile_limits
from ..options.fleet import TlsOptions, address_of
from ..options.guests import ISOLATE, read_capture
from ..options.host import HostOptions, settle
from ..options.places import read_host_name
from ..output.files import ledger_files
from ..output.stderr import report_warning, say

if TYPE_CHECKING:
    from atectl.batch.fleet.address import SchedulerAddress
    from atectl.capsule.limits import CompileLimits

_NO_GRACE = ("none", "0", "0s")


class Guests(NamedTuple):
    """How a host keeps its guests apart, and what each may write, as given."""

    pool: int
    max_output: str
    isolate: str
    cells: int | None
    max_fds: int
    requeue: int
    capture: str


def join_fleet(
    address: str,
    options: HostOptions,
    guests: Guests,
    compiling: CompileOptions,
    bounds: BoundOptions,
    *,
    shares: list[str],
    grace: str,
    ledger: str | None,
    host_name: str | None,
    uses_cache: bool,
    tls: TlsOptions,
    insecure: bool,
) -> None:
    """Be a host of a fleet until a signal ends it.

    Raises:
        AtectlError: an option cannot be used (exit 2), or the host cannot go on (exit 125).
    """
    scheduler = address_of(address, tls, insecure=insecure)
    host = settle(HostSettings(), options)
    name = socket.gethostname() if host_name is None else read_host_name(host_name)
    grace_s = 0.0 if grace in _NO_GRACE else parse_duration(grace)
    limits = compile_limits(compiling)
    shared = _shares(shares)
    settings = _settings(host, guests)._replace(reserved=_reserved(ledger))
    runtime = Runtime(
        ledger,
        uses_cache=uses_cache,
        compiling=limits,
        target=EngineSettings(bounds=store_bounds(bounds)),
        host_name=host_name,
    )
    for warning in runtime.warnings:
        report_warning(warning)
    # Its processes are forked before Dask is there, so that none of them holds that.
    with Batch(settings, runtime) as batch:
        require_dask()
        store = _store(limits)
        asyncio.run(_serve(scheduler, batch, store, shared, name, settings, grace_s))
        failure = batch.close()
        if failure is not None:
            report_warning(failure)


async def _serve(
    scheduler: "SchedulerAddress",
    batch: Batch,
    store: CapsuleStore,
    shares: Shares,
    name: str,
    settings: BatchSettings,
    grace_s: float,
) -> None:
    scratch = config.fleet_dir() / "dask"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    joined = Joined(scheduler, scratch, lambda text: say(inert_line(text)))
    limit_bytes = settings.budget.limit_bytes
    host = FleetHost(name, settings.jobs, limit_bytes, batch, store, shares, joined.news)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, _end, joined)
    host.open()
    await joined.serve(host, grace_s)


def _end(joined: Joined) -> None:
    if joined.end():  # a second signal ends it at once; its jobs run elsewhere
        os._exit(TERMINATED_STATUS)
    say("leaving: what runs has its grace, the rest goes back")


def _settings(host: HostSettings, guests: Guests) -> BatchSettings:
    from atectl.arbitration.policies import rules

    if guests.isolate not in get_args(Isolation):
        raise UsageError(f"--isolate {quoted(guests.isolate)} is none of {ISOLATE.choices}")
    return BatchSettings(
        jobs=host.jobs_at_once,
        budget=host.budget(),
        rules=rules(host.backpressure, host.policy),
        spill_dir=host.spill_dir,
        spill_cap_bytes=host.spill_cap_bytes,
        pool=guests.pool,
        max_output_bytes=size_or_none(guests.max_output),
        isolation=guests.isolate,  # type: ignore[arg-type]
        requeue=guests.requeue,
        cells=guests.cells,
        max_fds=guests.max_fds,
        capture_bytes=read_capture(guests.capture),
        is_endless=True,
    )


def _reserved(ledger: str | None) -> Reserved:
    """What no job may write, though a share may have it in it."""
    found = reserve(ledger_files(ledger))
    logs = identities([("where the host logs", 1), ("where the host logs", 2)], regular=True)
    return found._replace(files={**logs, **found.files})


def _shares(given: list[str]) -> Shares:
    folders = dict(parse_share(text) for text in given)
    if len(folders) < len(given):
        raise BadShare("two shares have one name", remedy="give each a name of its own")
    return Shares(folders)


def _store(limits: "CompileLimits") -> CapsuleStore:
    folder = config.cache_dir() / "arrived"
    return CapsuleStore(folder, config.cache_max_bytes(), limits.max_capsule_bytes)
