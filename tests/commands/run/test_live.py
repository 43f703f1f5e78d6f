"""What the live table of a run shows: its lease, as the ledger of the process knows it."""

from types import SimpleNamespace
from typing import Any

from atectl.commands.run.live import _sample
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import LeaseRecord
from tests.support.lease_records import MIB, make_lease
from tests.support.told_lease import ToldLease


def run_of(record: LeaseRecord, *, is_ending: bool = False) -> Any:
    """A lease that says this of itself where nobody but it is asked."""
    return SimpleNamespace(record=lambda: record, wall_s=2.5, is_ending=is_ending)


def test_it_shows_what_the_ledger_says_of_the_lease() -> None:
    ledger = ProcessLedger()
    ledger.open(ToldLease(make_lease(current_bytes=5 * MIB, cpu_s=1.25, refused_growths=2)))
    sample = _sample(ledger, run_of(make_lease()))
    assert (sample.principal, sample.capsule, sample.state) == ("alice", "hello.wasm", "running")
    assert (sample.current_bytes, sample.peak_bytes, sample.quota_bytes) == (
        5 * MIB, 3 * MIB, 64 * MIB,
    )  # fmt: skip
    assert (sample.cpu_s, sample.refused_growths, sample.elapsed_s) == (1.25, 2, 2.5)


def test_before_the_lease_has_begun_it_shows_what_that_says_itself() -> None:
    assert _sample(ProcessLedger(), run_of(make_lease(cpu_s=0.0))).cpu_s == 0.0


def test_a_guest_that_was_told_to_end_is_ending() -> None:
    assert _sample(ProcessLedger(), run_of(make_lease(), is_ending=True)).state == "ending"
