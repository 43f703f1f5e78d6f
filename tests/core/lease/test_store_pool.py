"""Stores leased again: by the same reactor and principal alone, and never after a trap."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.accounting import Budget, Principal, Quota
from atectl.arbitration.policies import rules
from atectl.batch.batch import Batch
from atectl.batch.job import JobResult, JobTerms
from atectl.batch.settings import BatchSettings
from atectl.engine.wasi import WasiSettings
from atectl.lease import store_pool
from atectl.lease.store_pool import PoolKey, StorePool
from atectl.lease.terms import Terms
from atectl.system.memory import resident_bytes
from tests.conftest import CAPSULES
from tests.support.runtimes import bare
from tests.support.waiting import wait_until

MIB = 1 << 20
PAGE = 65_536

COUNTS = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $calls (i32.const 100)))
  (func $count (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls))
  (func (export "grow") (param i32) (result i32)
    (drop (memory.grow (local.get 0))) (call $count))
  (func (export "trap") (result i32) unreachable)
  (func (export "leave") (result i32) (call $exit (i32.const 0)) (i32.const 0)))"""


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.wat"
    path.write_text(COUNTS)
    return path


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    with pooled(tmp_path) as batch:
        yield batch


def pooled(folder: Path, pool: int = 1, room_bytes: int = 4096 * MIB) -> Batch:
    budget = Budget((resident_bytes() or 0) + room_bytes, soft=0.95, resume=0.9)
    return Batch(
        BatchSettings(1, budget, rules("both"), folder, pool=pool),
        bare(),
    )


def call(
    number: int, capsule: Path, words: str = "count", principal: str = "blue", mem: int = 64 * MIB
) -> JobTerms:
    invoke, *arguments = words.split()
    wasi = WasiSettings((capsule.name, *arguments))
    return JobTerms(
        number, capsule, Terms(Principal(principal), Quota(mem, 20.0), wasi, invoke=invoke)
    )


def run(batch: Batch, jobs: list[JobTerms]) -> list[JobResult]:
    return sorted(batch.run(jobs), key=lambda result: result.job)


def answers(told: list[JobResult]) -> list[str]:
    return ["".join(result.outcome.results) or result.outcome.reason for result in told]


def test_the_next_lease_finds_the_store_as_it_was_left(batch: Batch, counts: Path) -> None:
    told = run(batch, [call(number, counts) for number in (1, 2, 3)])
    assert answers(told) == ["101", "102", "103"]


def test_without_a_pool_every_lease_has_a_store_of_its_own(tmp_path: Path, counts: Path) -> None:
    with pooled(tmp_path, pool=0) as batch:
        told = run(batch, [call(number, counts) for number in (1, 2)])
    assert answers(told) == ["101", "101"]


def test_no_store_goes_from_one_principal_to_another(batch: Batch, counts: Path) -> None:
    jobs = [call(1, counts), call(2, counts, principal="green"), call(3, counts)]
    assert answers(run(batch, jobs)) == ["101", "101", "102"]


def test_no_store_goes_on_under_another_quota(batch: Batch, counts: Path) -> None:
    jobs = [call(1, counts), call(2, counts, mem=32 * MIB)]
    assert answers(run(batch, jobs)) == ["101", "101"]


@pytest.mark.parametrize("last", ["trap", "leave"])
def test_a_store_whose_guest_did_not_return_is_dropped(
    batch: Batch, counts: Path, last: str
) -> None:
    told = run(batch, [call(1, counts), call(2, counts, last), call(3, counts)])
    assert answers(told)[::2] == ["101", "101"]


def test_a_lease_is_charged_only_its_own_growth(batch: Batch, counts: Path) -> None:
    told = run(batch, [call(1, counts, "grow 16"), call(2, counts, "grow 4"), call(3, counts)])
    assert [result.reading.grown_bytes for result in told] == [17 * PAGE, 4 * PAGE, 0]
    assert [result.reading.peak_bytes for result in told] == [17 * PAGE, 21 * PAGE, 21 * PAGE]


def test_the_quota_holds_over_what_earlier_leases_grew_too(batch: Batch, counts: Path) -> None:
    first = call(1, counts, "grow 10", mem=16 * PAGE)
    told = run(batch, [first, call(2, counts, "grow 10", mem=16 * PAGE)])
    assert [result.reading.refused_growths for result in told] == [0, 1]


def test_a_command_is_never_kept(batch: Batch) -> None:
    hello = CAPSULES / "hello.wat"
    terms = Terms(Principal(), Quota(MIB, 20.0), WasiSettings((hello.name,)))
    run(batch, [JobTerms(number, hello, terms) for number in (1, 2)])
    assert batch.overview().pressure.charged_bytes == 0


def test_what_idle_stores_hold_counts_until_they_are_dropped(batch: Batch, counts: Path) -> None:
    run(batch, [call(1, counts, "grow 100")])
    assert batch.overview().pressure.charged_bytes == 101 * PAGE
    batch._cells._cells.drop_idle()
    wait_until(lambda: batch.overview().pressure.charged_bytes == 0)


def test_idle_stores_make_room_before_anybody_is_held(tmp_path: Path, counts: Path) -> None:
    with pooled(tmp_path, room_bytes=120 * MIB) as batch:
        idle = call(1, counts, "grow 800")
        needy = call(2, counts, "grow 1300", principal="green", mem=128 * MIB)
        told = run(batch, [idle, needy])
    assert answers(told) == ["101", "101"]
    assert told[1].reading.refused_growths == 0
    assert told[1].rulings == ()


class Shell:
    """A store that is only counted."""

    def __init__(self, held_bytes: int) -> None:
        self.held_bytes = held_bytes
        self.is_closed = False
        self.store = self

    def close(self) -> None:
        self.is_closed = True


def test_when_too_many_are_kept_those_of_who_came_longest_ago_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_pool, "MAX_STORES", 2)
    forgotten: list[int] = []
    pool = StorePool(2, forgotten.append)
    shells = [Shell(size) for size in (1, 2, 3)]
    for name, shell in zip("abc", shells, strict=True):
        key = PoolKey(name, Principal(), Quota(MIB), (), ())
        pool.put(key, shell)  # type: ignore[arg-type]
    assert [shell.is_closed for shell in shells] == [True, False, False]
    assert forgotten == [1]
    assert len(pool) == 2
