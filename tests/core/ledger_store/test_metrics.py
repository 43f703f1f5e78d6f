"""What dashboards are told of a ledger."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from atectl.accounting import MAX_OWN_SUMS
from atectl.ledger_store.export.exposition import LAST_SUCCESS, LedgerCollector, exposition
from atectl.ledger_store.export.metrics import METRICS, OTHER_HOSTS, metrics_of, read_state
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, MIB, NOW, finish, is_gone, make_lease

Values = dict[tuple[str, str | None], float]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteLedgerStore]:
    path = tmp_path / "ledger.db"
    store = SqliteLedgerStore(path, host=HOST, capacity=3, clock=lambda: NOW + 1, is_gone=is_gone)
    with closing(store):
        yield store


def values(store: SqliteLedgerStore, per_principal: int = 0) -> Values:
    samples = metrics_of(read_state(store), per_principal).samples
    return {(each.name, each.host or each.principal): each.value for each in samples}


def test_each_host_has_totals_and_what_runs_there(store: SqliteLedgerStore) -> None:
    store.flush([make_lease(), finish(make_lease(id="b")), make_lease(id="c", host="host-b")])
    found = values(store)
    assert found["atectl_leases_total", HOST] == 2
    assert found["atectl_cpu_seconds_total", HOST] == 1.0
    assert found["atectl_memory_byte_seconds_total", "host-b"] == 10.0
    assert found["atectl_running_leases", HOST] == found["atectl_running_leases", "host-b"] == 1
    assert found["atectl_memory_bytes", HOST] == MIB
    assert found["atectl_accounts", None] == 1


def test_a_host_where_nothing_runs_any_more_is_still_told(store: SqliteLedgerStore) -> None:
    store.flush([finish(make_lease())])
    assert values(store)["atectl_running_leases", HOST] == 0


def test_no_principal_is_named_unless_that_is_asked_for(store: SqliteLedgerStore) -> None:
    store.flush([make_lease()])
    assert "alice" not in {whose for _, whose in values(store)}
    assert values(store, 1)["atectl_principal_peak_bytes", "alice"] == 2 * MIB


@pytest.mark.parametrize("name", ["user+x@example.com", "team/service", "a.b"])
def test_a_principal_is_named_as_it_is(store: SqliteLedgerStore, name: str) -> None:
    store.flush([make_lease(principal=name)])
    found = metrics_of(read_state(store), 1)
    told = exposition(LedgerCollector(lambda: found), is_openmetrics=False)
    named = {s.labels.get("principal") for family in parse(told) for s in family.samples}
    assert name in named


def test_lost_leases_are_counted_apart(store: SqliteLedgerStore) -> None:
    store.flush([make_lease(process="gone"), make_lease(id="b")])
    found = values(store)
    assert (found["atectl_lost_leases", None], found["atectl_running_leases", HOST]) == (1, 1)


def test_those_of_the_highest_peaks_are_named_and_the_others_told_together(
    store: SqliteLedgerStore,
) -> None:
    store.flush(
        finish(make_lease(id=name, principal=name, peak_bytes=peak, fuel=peak))
        for name, peak in [("small", 1), ("large", 9), ("middle", 5)]
    )
    found = values(store, 1)
    assert found["atectl_principal_fuel_total", "large"] == 9
    assert found["atectl_other_fuel", None] == 6
    assert found["atectl_other_peak_bytes", None] == 5


def test_a_total_never_falls_when_principals_move_or_accounts_are_displaced(
    store: SqliteLedgerStore,
) -> None:
    before: Values = {}
    for number in range(12):
        lease = make_lease(id=f"l{number}", principal=f"p{number}", peak_bytes=number + 1)
        store.flush([finish(lease)])
        found = values(store, 2)
        counters = {metric.name for metric in METRICS if metric.kind == "counter"}
        fell = [
            key
            for key, value in before.items()
            if key[0] in counters and found.get(key, value) < value
        ]
        assert fell == []
        before = found
    assert before["atectl_leases_total", HOST] == 12
    assert before["atectl_accounts", None] == 3


def test_hosts_past_the_bound_are_told_together(store: SqliteLedgerStore) -> None:
    store.flush(make_lease(id=f"l{n}", host=f"h{n:03}") for n in range(MAX_OWN_SUMS + 2))
    found = values(store)
    assert found["atectl_leases_total", OTHER_HOSTS] == 2
    assert found["atectl_running_leases", OTHER_HOSTS] == 2


@pytest.mark.parametrize("is_openmetrics", [False, True])
def test_the_text_is_what_the_parsers_of_prometheus_read(
    store: SqliteLedgerStore, is_openmetrics: bool
) -> None:
    store.flush([make_lease(), make_lease(id="b", host='odd"\n\\host', principal="bob")])
    told = metrics_of(read_state(store), 1)
    text = exposition(LedgerCollector(lambda: told), is_openmetrics=is_openmetrics)
    read = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in (parse_openmetrics if is_openmetrics else parse)(text)
        for sample in family.samples
    }
    assert read == {
        (each.name, tuple(filter(None, (each.host, each.principal)))): each.value
        for each in told.samples
    }


def test_every_metric_says_what_it_is_in_base_units() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.text.endswith(".")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        if "cpu" in metric.name:
            assert "_seconds" in metric.name


def test_a_file_says_when_it_was_written(store: SqliteLedgerStore) -> None:
    told = metrics_of(read_state(store))
    text = exposition(LedgerCollector(lambda: told, 1234.5), is_openmetrics=False)
    assert f"{LAST_SUCCESS} 1234.5" in text
