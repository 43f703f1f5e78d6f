"""What dashboards are told of a ledger: one list of metrics, whatever form they are written in.

Names and units are as Prometheus has them: base units, and `_total` at the end of what only rises.
Counters are of all time and never fall when an account is displaced or a day is forgotten.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from atectl.accounting import OTHERS
from atectl.ledger_store.overview import live_accounts
from atectl.ledger_store.records import LOST, AccountRecord, DayRecord, LeaseRecord, LedgerStore

PREFIX = "atectl_"
OTHER_HOSTS = "(other)"
"""The label of hosts that have no sums of their own. No host can be given this name."""

Kind = Literal["counter", "gauge"]


class Sample(NamedTuple):
    """One value of a metric."""

    name: str
    """The name of the metric."""
    type: Kind
    """Whether it only rises: `counter`, or else `gauge`."""
    host: str | None
    """The host that it is of; null if it is of no single one."""
    principal: str | None
    """The principal that it is of; null if it is of no single one."""
    value: float
    """In seconds, bytes, or as a number."""


class Metric(NamedTuple):
    """One metric, and what it is."""

    name: str
    kind: Kind
    text: str
    label: Literal["host", "principal", ""]


class MetricList(NamedTuple):
    """What a ledger says at one moment, in the units of Prometheus."""

    samples: tuple[Sample, ...]
    """Those of one metric together."""


class LedgerState(NamedTuple):
    """What was read of a ledger at one moment."""

    accounts: Sequence[AccountRecord]
    running: Sequence[LeaseRecord]
    lost: int
    totals: Sequence[DayRecord]


def read_state(store: LedgerStore) -> LedgerState:
    """What a ledger says now.

    Raises:
        LedgerError: the store cannot be read (exit 125).
    """
    unfinished = store.running()
    running = [lease for lease in unfinished if lease.state != LOST]
    accounts = live_accounts(store.accounts(), running)
    return LedgerState(accounts, running, len(unfinished) - len(running), store.totals())


_BYTE_MS, _US = 1000, 1_000_000

_BY_HOST: tuple[tuple[Metric, Callable[[DayRecord], float]], ...] = (
    (Metric("leases_total", "counter", "Leases that began.", "host"), lambda x: x.leases),
    (
        Metric("cpu_seconds_total", "counter", "CPU time of guests.", "host"),
        lambda x: x.cpu_us / _US,
    ),
    (
        Metric(
            "memory_byte_seconds_total", "counter", "Memory held, times how long it was.", "host"
        ),
        lambda x: x.byte_ms / _BYTE_MS,
    ),
    (
        Metric("fuel_total", "counter", "Fuel burned, where it was counted.", "host"),
        lambda x: x.fuel,
    ),
    (
        Metric("refused_growths_total", "counter", "Growths of memory refused.", "host"),
        lambda x: x.refused_growths,
    ),
    (
        Metric("peak_bytes", "gauge", "The most that one lease was ever charged.", "host"),
        lambda x: x.peak_bytes,
    ),
)

_RUNNING_BY_HOST: tuple[tuple[Metric, Callable[[Sequence[LeaseRecord]], float]], ...] = (
    (Metric("running_leases", "gauge", "Leases that run.", "host"), len),
    (
        Metric("memory_bytes", "gauge", "Memory that running leases hold.", "host"),
        lambda leases: sum(lease.current_bytes for lease in leases),
    ),
    (
        Metric("quota_bytes", "gauge", "Quotas of running leases together.", "host"),
        lambda leases: sum(lease.quota_bytes for lease in leases),
    ),
)

_OF_ALL: tuple[tuple[Metric, Callable[[LedgerState], float]], ...] = (
    (Metric("accounts", "gauge", "Accounts in the ledger.", ""), lambda x: len(x.accounts)),
    (Metric("lost_leases", "gauge", "Unfinished leases whose host is gone.", ""), lambda x: x.lost),
)

_BY_PRINCIPAL: tuple[tuple[Metric, Callable[[AccountRecord], float]], ...] = (
    (Metric("leases_total", "counter", "Leases that began.", "principal"), lambda x: x.leases),
    (
        Metric("cpu_seconds_total", "counter", "CPU time of its guests.", "principal"),
        lambda x: x.cpu_s,
    ),
    (
        Metric("memory_byte_seconds_total", "counter", "Memory held, times how long.", "principal"),
        lambda x: x.byte_seconds,
    ),
    (Metric("fuel_total", "counter", "Fuel burned, where counted.", "principal"), lambda x: x.fuel),
    (
        Metric("refused_growths_total", "counter", "Growths refused.", "principal"),
        lambda x: x.refused_growths,
    ),
    (
        Metric("peak_bytes", "gauge", "The most that one lease was charged.", "principal"),
        lambda x: x.peak_bytes,
    ),
    (
        Metric("running_leases", "gauge", "Leases that run.", "principal"),
        lambda x: x.running_leases,
    ),
    (
        Metric("memory_bytes", "gauge", "Memory that its leases hold.", "principal"),
        lambda x: x.current_bytes,
    ),
    (
        Metric("quota_bytes", "gauge", "Quotas of its running leases.", "principal"),
        lambda x: x.quota_bytes if x.running_leases else 0,
    ),
)


def _named(metric: Metric, scope: str = "") -> Metric:
    return metric._replace(name=f"{PREFIX}{scope}{metric.name}")


def _of_others(metric: Metric) -> Metric:
    """The metric of all principals that are not named: it may fall, so it is no counter."""
    name = metric.name.removesuffix("_total")
    return Metric(f"{PREFIX}other_{name}", "gauge", f"Of principals not named: {metric.text}", "")


METRICS: tuple[Metric, ...] = (
    *(_named(metric) for metric, _ in (*_OF_ALL, *_BY_HOST, *_RUNNING_BY_HOST)),
    *(_named(metric, "principal_") for metric, _ in _BY_PRINCIPAL),
    *(_of_others(metric) for metric, _ in _BY_PRINCIPAL),
)
"""Every metric that there is."""


def metrics_of(state: LedgerState, per_principal: int = 0) -> MetricList:
    """What dashboards are told of a ledger.

    Args:
        state: what was read of it.
        per_principal: how many principals are named, those of the highest peaks. If any is, the
            others are told together, as gauges: a principal that moves between the two makes their
            sum fall, which in a counter would look as if it had begun anew.
    """
    samples = [
        Sample(_named(metric).name, metric.kind, None, None, value(state))
        for metric, value in _OF_ALL
    ]
    samples += _hosts(state)
    if per_principal:
        samples += _principals(state, per_principal)
    return MetricList(tuple(samples))


def _hosts(state: LedgerState) -> list[Sample]:
    samples = []
    for metric, total_value in _BY_HOST:
        for total in state.totals:
            host = OTHER_HOSTS if total.host == OTHERS else total.host
            samples.append(Sample(_named(metric).name, metric.kind, host, None, total_value(total)))
    # A host that has run something is told of, even if nothing runs there now.
    known = {total.host for total in state.totals} - {OTHERS}
    held: dict[str, list[LeaseRecord]] = {host: [] for host in sorted(known)}
    for lease in state.running:
        held.setdefault(lease.host if lease.host in known else OTHER_HOSTS, []).append(lease)
    for metric, value in _RUNNING_BY_HOST:
        samples += [
            Sample(_named(metric).name, metric.kind, host, None, value(leases))
            for host, leases in held.items()
        ]
    return samples


def _principals(state: LedgerState, count: int) -> list[Sample]:
    ranked = sorted(state.accounts, key=lambda account: (-account.peak_bytes, account.principal))
    named, others = ranked[:count], ranked[count:]
    samples = []
    for metric, value in _BY_PRINCIPAL:
        name = _named(metric, "principal_").name
        samples += [
            Sample(name, metric.kind, None, account.principal, _sound(value(account)))
            for account in named
        ]
    for metric, value in _BY_PRINCIPAL:
        amounts = [_sound(value(account)) for account in others]
        is_peak = metric.name == "peak_bytes"
        amount = max(amounts, default=0) if is_peak else sum(amounts)
        samples.append(Sample(_of_others(metric).name, "gauge", None, None, amount))
    return samples


def _sound(amount: float) -> float:
    """An amount, 0 for a damaged one."""
    return amount if amount == amount else 0.0
