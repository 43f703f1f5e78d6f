"""What goes wrong under memory pressure harms nobody else, is told, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from atectl.accounting import Budget, Principal, Quota
from atectl.arbitration.policies import rules
from atectl.arbitration.seat import Ruling
from atectl.arbitration.view import Action
from atectl.batch.batch import Batch
from atectl.batch.job import JobResult, JobTerms, Wanted
from atectl.batch.overview import LeaseRow
from atectl.batch.settings import BatchSettings
from atectl.capsule.compiler import Compiler
from atectl.engine.wasi import WasiSettings
from atectl.errors import AbortedByArbiter
from atectl.lease.terms import Terms
from atectl.spill.errors import SpillDiskFull
from atectl.system import memory as host_memory
from atectl.system.memory import resident_bytes
from tests.conftest import CAPSULES, ROOT
from tests.support.limits import files_no_larger_than
from tests.support.processes import descendants_of
from tests.support.runtimes import bare
from tests.support.waiting import wait_until

MIB = 1 << 20
LONG_S = 100.0
"""A deadline that no guest of a test comes to, and less than pytest waits for a test."""
ROOM_BYTES = 200 * MIB
"""What the limit leaves above the process's own size; soft leaves 160 MiB."""

# Grows by 8 MiB four times, fills each, and traps.
TRAPS = """(module (memory 1) (func (export "_start") (local $step i32)
  (loop $steps
    (if (i32.eq (memory.grow (i32.const 128)) (i32.const -1)) (then (return)))
    (memory.fill (i32.mul (local.get $step) (i32.const 8388608)) (i32.const 7) (i32.const 8388608))
    (local.set $step (i32.add (local.get $step) (i32.const 1)))
    (br_if $steps (i32.lt_u (local.get $step) (i32.const 4))))
  unreachable))"""

# Grows to 40 MiB and goes on for ever.
HOARDS = """(module (memory 640) (func (export "_start") (loop $on (br $on))))"""


class Watch:
    """An observer that hears of rulings alone."""

    def __init__(self, on_ruling: Callable[[Ruling], None]) -> None:
        self._on_ruling = on_ruling

    def ruled(self, ruling: Ruling, _pressure: object) -> None:
        self._on_ruling(ruling)

    def _nothing(self, *_: object) -> None:
        pass

    registered = finished = asked = sampled = decided = _nothing


def bounded(number: int, steps: int = 5, deadline_s: float = LONG_S) -> JobTerms:
    """A job that grows by 8 MiB `steps` times and verifies all it holds."""
    wasi = WasiSettings(("bounded.wat", "seed", str(steps)))
    terms = Terms(Principal(), Quota(512 * MIB, deadline_s), wasi)
    return JobTerms(number, CAPSULES / "bounded.wat", terms)


def plain(number: int, capsule: Path, deadline_s: float = LONG_S) -> JobTerms:
    terms = Terms(Principal(), Quota(512 * MIB, deadline_s), WasiSettings((capsule.name,)))
    return JobTerms(number, capsule, terms)


def batch_under(folder: Path, watch: Watch | None = None, **changed: object) -> Batch:
    limit = (resident_bytes() or 0) + ROOM_BYTES
    budget = Budget(limit, soft=round(1 - 40 * MIB / limit, 2), resume=0.5)
    settings = BatchSettings(12, budget, rules("both"), folder, observer=watch)
    return Batch(settings._replace(**changed), bare())  # type: ignore[arg-type]


def run(batch: Batch, jobs: list[JobTerms]) -> dict[int, JobResult]:
    with batch:
        batch.prepare({job.capsule: Wanted(job.terms.principal) for job in jobs})
        return {result.job: result for result in batch.run(jobs)}


def statuses(told: dict[int, JobResult]) -> list[int]:
    return [told[number].outcome.exit_status for number in sorted(told)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    image.touch()
    os.truncate(image, 24 * MIB)
    for command in (["mkfs.ext4", "-q", "-F", image], ["mount", "-o", "loop", image, place]):
        try:
            made = subprocess.run(command, capture_output=True, check=False, timeout=30)
        except FileNotFoundError:
            pytest.skip(f"{command[0]} is not installed")
        if made.returncode:
            pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True, timeout=30)


def told_apart(told: dict[int, JobResult]) -> set[str]:
    """The reasons; whoever was ended for memory was told with which numbers."""
    for result in told.values():
        if result.outcome.reason == "arbiter":
            assert isinstance(result.outcome.error, AbortedByArbiter)
            assert "of its limit of" in str(result.outcome.error)
            assert result.outcome.exit_status == 137
        else:
            assert result.outcome.exit_status == 0
    return {result.outcome.reason for result in told.values()}


def test_files_that_may_not_grow_end_no_lease_that_still_fits(tmp_path: Path) -> None:
    batch = batch_under(tmp_path)
    with files_no_larger_than(4 * MIB):
        told = run(batch, [bounded(number) for number in range(1, 9)])
    assert isinstance(batch.spill_failure, SpillDiskFull)
    assert "exited" in told_apart(told)
    assert len(told) == 8


def test_a_full_disk_ends_no_lease_that_still_fits(small_disk: Path) -> None:
    told = run(batch_under(small_disk), [bounded(number) for number in range(1, 9)])
    assert "exited" in told_apart(told)
    assert len(told) == 8
    assert {path.name for path in small_disk.iterdir()} == {"lost+found"}


def test_a_spill_folder_removed_meanwhile_ends_no_lease_that_still_fits(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()

    def remove(ruling: Ruling) -> None:
        if ruling.action is Action.SPILL and folder.exists():
            folder.rmdir()

    told = run(batch_under(folder, Watch(remove)), [bounded(number) for number in range(1, 9)])
    assert not folder.exists()
    assert "exited" in told_apart(told)
    assert len(told) == 8


def test_a_cap_on_the_disk_is_kept_and_ends_no_lease_that_still_fits(tmp_path: Path) -> None:
    batch = batch_under(tmp_path, spill_cap_bytes=48 * MIB)
    told = run(batch, [bounded(number) for number in range(1, 9)])
    assert "exited" in told_apart(told)
    assert len(told) == 8


def test_a_guest_that_traps_after_being_held_harms_no_other(tmp_path: Path) -> None:
    traps = tmp_path / "traps.wat"
    traps.write_text(TRAPS)
    jobs = [plain(n, traps) if n % 3 == 0 else bounded(n) for n in range(1, 13)]
    told = run(batch_under(tmp_path), jobs)
    assert statuses(told) == [134 if n % 3 == 0 else 0 for n in range(1, 13)]
    held = {n for n in told if any(r.action is Action.PARK for r in told[n].rulings)}
    assert held & {3, 6, 9, 12}


def test_where_the_resident_size_cannot_be_read_the_charge_keeps_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(200 * MIB)
    monkeypatch.setattr(host_memory, "resident_bytes", lambda: None)
    batch = batch_under(tmp_path, budget=budget)
    told = run(batch, [bounded(number) for number in range(1, 13)])
    assert statuses(told) == [0] * 12
    rulings = [ruling for result in told.values() for ruling in result.rulings]
    assert max(ruling.pressure_bytes for ruling in rulings) <= budget.limit_bytes


def test_a_guest_asleep_in_a_host_call_keeps_nobody_from_finishing(tmp_path: Path) -> None:
    jobs = [plain(1, CAPSULES / "sleep.wat", 3600.0), *(bounded(n) for n in range(2, 10))]
    batch = batch_under(tmp_path)
    done: list[int] = []
    with batch:
        for result in batch.run(jobs):
            done.append(result.job)
            if len(done) == 8:
                batch.end_all("interrupted")
        assert sorted(done[:8]) == list(range(2, 10))
    assert done[8:] == [1]


def test_a_killed_process_leaves_nothing_of_what_it_spilled(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.faults.test_arbiter_faults import Watch, batch_under, bounded
def tell(ruling):
    if ruling.action == "spill":
        print("spilled", flush=True)
with batch_under(Path({str(tmp_path)!r}), Watch(tell)) as batch:
    list(batch.run([bounded(number, 25) for number in range(1, 13)]))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"spilled\n"
        wait_until(lambda: any(str(tmp_path) in target for target in _open_below(child.pid)))
        child.send_signal(signal.SIGKILL)
        child.wait(LONG_S)
    assert list(tmp_path.iterdir()) == []


def _open_below(pid: int) -> list[str]:
    """What the processes below this one have open."""
    found = []
    for each in descendants_of(pid):
        with suppress(OSError):
            found += [str(link.readlink()) for link in Path(f"/proc/{each}/fd").iterdir()]
    return found


class Held:
    """Two spinning leases, of which one is spilled because the host is said to be too large."""

    def __init__(self, folder: Path, deadline_s: float, patch: pytest.MonkeyPatch) -> None:
        self.resident = 0
        patch.setattr(host_memory, "resident_bytes", lambda: self.resident)
        patch.setattr(Compiler, "private_bytes", lambda _: 0)
        self.told: list[JobResult] = []
        self.batch = batch_under(folder, budget=Budget(4096 * MIB))
        spin = CAPSULES / "spin.wat"
        self.batch.prepare({spin: Wanted("default")})
        jobs = [plain(1, spin, deadline_s), plain(2, spin)]
        self._run = threading.Thread(target=lambda: self.told.extend(self.batch.run(jobs)))
        self._run.start()
        wait_until(lambda: all(row.current_bytes for row in self.rows()) and len(self.rows()) == 2)

    def rows(self) -> list[LeaseRow]:
        return list(self.batch.overview().rows)

    def press(self) -> None:
        """Say that the host is over soft until a lease is on disk."""
        self.resident = 3500 * MIB
        wait_until(lambda: "spilled" in [row.state for row in self.rows()])

    def close(self) -> None:
        self.resident = 0
        self.batch.end_all("interrupted")
        self._run.join()
        self.batch.close()


@pytest.fixture
def held(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Held]:
    held = Held(tmp_path, getattr(request, "param", LONG_S), monkeypatch)
    yield held
    held.close()


@pytest.mark.parametrize("held", [3.0], indirect=True)
def test_a_deadline_reaches_a_spilled_lease(held: Held) -> None:
    held.press()
    wait_until(lambda: held.told)
    (result,) = held.told
    assert (result.job, result.outcome.reason) == (1, "deadline")
    assert [row.job for row in held.rows()] == [2]


def test_an_interrupt_reaches_a_spilled_lease(held: Held) -> None:
    held.press()
    held.batch.end_all("interrupted")
    wait_until(lambda: len(held.told) == 2)
    assert {result.outcome.exit_status for result in held.told} == {130}


def test_a_spilled_lease_is_recorded_as_such(held: Held) -> None:
    held.press()
    records = held.batch._runtime.ledger.running()
    assert "spilled" in [record.state for record in records]


def test_a_deadline_reaches_a_lease_that_waits_to_grow(tmp_path: Path) -> None:
    hoards = tmp_path / "hoards.wat"
    hoards.write_text(HOARDS)
    limit = (resident_bytes() or 0) + 80 * MIB
    # Nothing lies between soft and the limit: there it would be let go on if the first, for want
    # of a core, seemed to be asleep.
    batch = batch_under(tmp_path, budget=Budget(limit, 1.0, 0.5))
    told: list[JobResult] = []
    with batch:
        jobs = [plain(1, hoards), bounded(2, deadline_s=3.0)]
        batch.prepare({job.capsule: Wanted(job.terms.principal) for job in jobs})
        for result in batch.run(jobs):
            told.append(result)
            batch.end_all("interrupted")
    assert [(result.job, result.outcome.reason) for result in told] == [
        (2, "deadline"),
        (1, "interrupted"),
    ]
    assert told[0].rulings[-1].action in {Action.PARK, Action.SPILL}, "it was held"
    assert told[0].wall_s >= 3.0
