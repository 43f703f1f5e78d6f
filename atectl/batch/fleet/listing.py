"""The hosts of a fleet, as a scheduler knows them."""

import asyncio

from atectl.batch.fleet.address import SchedulerAddress
from atectl.batch.fleet.carrier import require_dask
from atectl.batch.fleet.facts import HostEntry, HostFacts, HostList
from atectl.batch.fleet.link import FleetLink, SeenHost
from atectl.records.from_json import NotOfThisKind, from_json

_PATIENCE_S = 10.0


def hosts_of(address: SchedulerAddress) -> HostList:
    """The hosts that have joined a scheduler.

    Raises:
        DaskMissing: Dask is not installed (exit 125).
        SchedulerUnreachable: the scheduler does not answer (exit 125).
    """
    require_dask()
    entries = [entry for seen in asyncio.run(_seen(address)) if (entry := _entry(seen)) is not None]
    return HostList(tuple(sorted(entries, key=lambda each: (each.host, each.address))))


async def _seen(address: SchedulerAddress) -> list[SeenHost]:
    link = FleetLink(address)
    try:
        return await link.hosts(_PATIENCE_S)
    finally:
        await link.close()


def _entry(seen: SeenHost) -> HostEntry | None:
    """The entry of a host; None if what it told of itself is of another version."""
    try:
        told = {**seen.facts, "shares": list(seen.facts.get("shares", ()))}
        facts: HostFacts = from_json(HostFacts, told)
    except NotOfThisKind:
        return None
    return HostEntry(
        facts.name,
        seen.address,
        facts.slots,
        facts.running,
        facts.waiting,
        facts.ended,
        facts.pressure_bytes,
        facts.limit_bytes,
        facts.spilled_bytes,
        facts.is_draining,
        facts.shares,
        round(seen.ago_s, 3),
    )
