"""The guest's thread and its clock, and what a guest came to in its store."""

import threading
import time
from pathlib import Path

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.engine.wasi import WasiSettings
from atectl.lease.guest import CpuClock, Guest, start_guest_thread
from atectl.lease.terms import Terms
from tests.conftest import CAPSULES
from tests.support.loading import load_mapped

PAGE = 65_536

ADDS = """(module (memory 2) (global $calls (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)))"""


class Setting:
    """A guest of the capsule at `path`, and what it runs with."""

    def __init__(self, engine: Engine, path: Path, invoke: str | None = None) -> None:
        quota = Quota(64 << 20)
        self.engine = engine
        self.capsule = load_mapped(engine, path, None)
        self.terms = Terms(Principal(), quota, WasiSettings((path.name,)), invoke)
        self.memory = LeaseMemory(Meter(Principal(), quota, Ledger()))
        self.control = GuestControl()
        self.guest = Guest(engine, self.capsule, self.terms, self.memory, self.control)


class TestGuest:
    def test_it_ends_as_its_capsule_says(self, engine: Engine) -> None:
        outcome = Setting(engine, CAPSULES / "exit-status.wat").guest.run(may_leave_store=False)
        assert outcome is not None
        assert outcome[:2] == ("exited", 7)

    def test_one_that_was_told_to_end_has_no_outcome_of_its_own(self, engine: Engine) -> None:
        setting = Setting(engine, CAPSULES / "spin.wat")
        setting.control.ending = "interrupted"
        assert setting.guest.run(may_leave_store=False) is None

    def test_its_memory_is_read_before_it_is_given_back(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        (tmp_path / "adds.wat").write_text(ADDS)
        setting = Setting(engine, tmp_path / "adds.wat", invoke="count")
        setting.guest.run(may_leave_store=False)
        assert setting.guest.reading is not None
        assert setting.guest.reading.current_bytes == 2 * PAGE
        assert setting.memory.meter.read().current_bytes == 0

    def test_a_store_it_leaves_is_gone_on_with(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "adds.wat").write_text(ADDS)
        first = Setting(engine, tmp_path / "adds.wat", invoke="count")
        assert first.guest.run(may_leave_store=True) is not None
        assert first.guest.left is not None
        after = Guest(
            engine, first.capsule, first.terms, first.memory, first.control, first.guest.left
        ).run(may_leave_store=False)
        assert after is not None
        assert after.results == ("2",)

    def test_after_a_trap_no_store_is_left(self, engine: Engine) -> None:
        setting = Setting(engine, CAPSULES / "trap.wat")
        outcome = setting.guest.run(may_leave_store=True)
        assert outcome is not None
        assert outcome.reason == "trapped"
        assert setting.guest.left is None


class TestThread:
    def test_its_stack_takes_the_guests_and_other_threads_keep_theirs(self, engine: Engine) -> None:
        before = threading.stack_size()
        done = threading.Event()
        start_guest_thread(engine, done.set, "a guest")
        assert done.wait(30)
        assert threading.stack_size() == before


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


class TestCpuClock:
    def test_it_counts_what_its_thread_takes_and_any_thread_reads_it(self) -> None:
        clock, spun, read = CpuClock(), threading.Event(), threading.Event()

        def work() -> None:
            spin(0.05)
            clock.start()
            spin(0.02)
            spun.set()
            read.wait(30)
            clock.stop()

        worker = threading.Thread(target=work)
        assert clock.read_s() == 0
        worker.start()
        assert spun.wait(30)
        assert 0.02 <= clock.read_s() < 0.05
        read.set()
        worker.join()
        assert 0.02 <= clock.read_s() < 0.05

    def test_after_its_stop_it_stands_still(self) -> None:
        clock = CpuClock()
        clock.start()
        spin(0.01)
        clock.stop()
        taken_s = clock.read_s()
        spin(0.01)
        clock.stop()
        assert clock.read_s() == taken_s >= 0.01
