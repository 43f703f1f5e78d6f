"""A lease: charged for what it used, ended for one reason, recorded as it is."""

import threading
import time
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.images import InitialMemories, InitialMemory
from atectl.engine.metered import Engine
from atectl.engine.wasi import WasiSettings
from atectl.errors import EngineFailure
from atectl.lease.lease import Lease
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import FINISHED, RUNNING
from tests.conftest import CAPSULES
from tests.support.loading import load_mapped
from tests.support.waiting import wait_until

MIB = 1 << 20
LONG_S = 30.0


def lease(
    engine: Engine, path: Path, ledger: ProcessLedger | None = None, quota: Quota | None = None
) -> Lease:
    terms = Terms(Principal("tenant"), quota or Quota(64 * MIB, LONG_S), WasiSettings((path.name,)))
    charged = ProcessLedger() if ledger is None else ledger
    return Lease(engine, load_mapped(engine, path, None), terms, charged)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "capsule.wat"
    path.write_text(text)
    return path


GROWS = """(module (memory 2)
  (func (export "_start")
    (drop (memory.grow (i32.const 6))) (drop (memory.grow (i32.const 60000)))))"""


def test_the_ledger_is_charged_what_the_lease_used(engine: Engine, tmp_path: Path) -> None:
    ledger = ProcessLedger()
    run = lease(engine, written(tmp_path, GROWS), ledger)
    run.start()
    assert run.join().reason == "exited"
    account = ledger.account("tenant")
    assert account is not None
    assert account.peak_bytes == 8 * 65_536
    assert account.usage.leases == 1
    assert account.usage.refused_growths == 1
    assert account.usage.cpu_s > 0
    assert account.usage.byte_seconds > 0


def test_a_lease_for_which_there_is_no_thread_is_refused_and_charged_for_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ledger = ProcessLedger()
    run = lease(engine, CAPSULES / "hello.wat", ledger)
    monkeypatch.setattr(threading.Thread, "start", fails)
    run.start()
    outcome = run.join()
    assert outcome.error is not None
    assert (outcome.error.code, outcome.exit_status) == ("E704", 125)
    account = ledger.account("tenant")
    assert account is None or account.peak_bytes == 0


def test_waiting_for_a_lock_takes_nothing_from_the_deadline(engine: Engine) -> None:
    began_s = time.monotonic() - 1000
    path = CAPSULES / "hello.wat"
    terms = Terms(Principal("tenant"), Quota(MIB, 500.0), WasiSettings((path.name,)))
    run = Lease(engine, load_mapped(engine, path), terms, ProcessLedger(), began_s=began_s)
    run.attend()
    assert run.is_ending, "it would have been too late"
    run = Lease(engine, load_mapped(engine, path), terms, ProcessLedger(), began_s=began_s)
    run.start(waited_s=1000)
    assert run.join()[:2] == ("exited", 0)
    assert run.wall_s < 500


def test_two_leases_of_one_principal_add_up(engine: Engine, tmp_path: Path) -> None:
    ledger = ProcessLedger()
    for _ in range(2):
        run = lease(engine, written(tmp_path, GROWS), ledger)
        run.start()
        run.join()
    account = ledger.account("tenant")
    assert account is not None
    assert (account.peak_bytes, account.usage.leases) == (8 * 65_536, 2)


def test_a_running_lease_is_recorded_with_what_it_holds_now(engine: Engine) -> None:
    run = lease(engine, CAPSULES / "spin.wat")
    run.start()
    while run.read().current_bytes == 0 or run.cpu_s < 0.05:
        pass
    record = run.record()
    assert record.state == RUNNING
    assert record.current_bytes > 0
    assert record.cpu_s >= 0.05
    assert record.finished_at is None
    run.end("interrupted")
    run.join()
    record = run.record()
    assert (record.state, record.current_bytes, record.reason) == (FINISHED, 0, "interrupted")
    assert record.exit_status == 130


def test_the_first_reason_to_end_counts(engine: Engine) -> None:
    run = lease(engine, CAPSULES / "spin.wat")
    run.start()
    run.end("terminated")
    run.end("interrupted")
    assert run.join().exit_status == 143


def test_a_lease_told_to_end_before_it_began_does_not_run(engine: Engine) -> None:
    run = lease(engine, CAPSULES / "spin.wat")
    run.end("interrupted")
    run.start()
    assert run.join().reason == "interrupted"
    assert run.read().peak_bytes == 0


def test_memory_of_an_abandoned_guest_still_counts(engine: Engine) -> None:
    run = lease(engine, CAPSULES / "sleep.wat", quota=Quota(64 * MIB, deadline_s=0.1))
    run.start()
    outcome = run.join()
    assert (outcome.reason, outcome.exit_status) == ("deadline", 124)
    assert run.read().current_bytes > 0


def test_a_lease_gives_back_its_memory_when_it_ends(engine: Engine, tmp_path: Path) -> None:
    before = len(engine.memories)
    run = lease(engine, written(tmp_path, GROWS))
    run.start()
    run.join()
    assert len(engine.memories) == before


def test_a_trap_in_the_start_function_is_the_guests(engine: Engine, tmp_path: Path) -> None:
    run = lease(
        engine,
        written(tmp_path, '(module (func $s unreachable) (start $s) (func (export "_start")))'),
    )
    run.start()
    outcome = run.join()
    assert (outcome.reason, outcome.exit_status) == ("trapped", 134)


def test_an_exit_in_the_start_function_is_the_guests_status(engine: Engine, tmp_path: Path) -> None:
    run = lease(
        engine,
        written(
            tmp_path,
            """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 0) (func $s (call $exit (i32.const 7))) (start $s)
            (func (export "_start")))""",
        ),
    )
    run.start()
    assert run.join().exit_status == 7


def test_a_guest_without_all_its_data_does_not_run(engine: Engine, tmp_path: Path) -> None:
    path = written(tmp_path, '(module (memory 1) (func (export "_start")))')
    memories = (InitialMemory(65_536, None), InitialMemory(65_536, None))
    images = InitialMemories(-1, memories, is_owned=False)
    capsule = load_mapped(engine, path)._replace(images=images)
    terms = Terms(Principal("tenant"), Quota(MIB, LONG_S), WasiSettings((path.name,)))
    run = Lease(engine, capsule, terms, ProcessLedger())
    run.start()
    outcome = run.join()
    assert (outcome.exit_status, type(outcome.error)) == (125, EngineFailure)


def test_unchanged_data_is_resident_and_nobodys_own(engine: Engine, tmp_path: Path) -> None:
    reads = """(local $at i32) (loop $next
      (drop (i32.load (local.get $at))) (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 1048576)))) (loop $on (br $on))"""
    text = f"""(module (memory 16) (data (i32.const 0) "{"x" * MIB}")
      (func (export "_start") {reads}))"""
    run = lease(engine, written(tmp_path, text))
    run.start()
    wait_until(lambda: run.resident_bytes() == MIB)
    assert run.own_bytes() == 0
    run.end("terminated")
    run.join()
    assert run.capsule.image_bytes == MIB
