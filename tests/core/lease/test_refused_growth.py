"""A guest that is to end at a refused growth: nothing that it does after that is seen."""

from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.metered import Engine
from atectl.engine.wasi import Folder, Streams, WasiSettings
from atectl.lease.lease import Lease
from atectl.lease.outcome import Outcome
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from tests.conftest import CAPSULES
from tests.support.loading import load_mapped

GROWS = "(drop (memory.grow (i32.const 60000)))"
WRITES = f"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $mkdir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "before after\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 7))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    {GROWS}
    (i32.store (i32.const 0) (i32.const 23)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $mkdir (i32.const 3) (i32.const 23) (i32.const 5)))
    ENDS))"""


def run(engine: Engine, folder: Path, text: str, *, traps: bool, invoke: str = "") -> Outcome:
    path = folder / "capsule.wat"
    path.write_text(text)
    (folder / "granted").mkdir()
    wasi = WasiSettings(
        (path.name,),
        folders=(Folder(str(folder / "granted"), "/", read_only=False),),
        streams=Streams(stdout=str(folder / "out")),
    )
    quota = Quota(8 << 20, 30.0)
    terms = Terms(Principal(), quota, wasi, invoke or None, traps_on_refusal=traps)
    lease = Lease(engine, load_mapped(engine, path), terms, ProcessLedger())
    lease.start()
    return lease.join()


@pytest.mark.parametrize(
    "ends", ["(call $exit (i32.const 0))", "(call $exit (i32.const 3))", "", "unreachable"]
)
def test_a_module_writes_nothing_more_and_ends_for_its_quota(
    engine: Engine, tmp_path: Path, ends: str
) -> None:
    ended = run(engine, tmp_path, WRITES.replace("ENDS", ends), traps=True)
    assert (ended.reason, ended.exit_status, ended.exit_code) == ("quota", 134, None)
    assert (tmp_path / "out").read_text() == "before "
    assert list((tmp_path / "granted").iterdir()) == []


def test_one_that_is_told_goes_on(engine: Engine, tmp_path: Path) -> None:
    ended = run(engine, tmp_path, WRITES.replace("ENDS", ""), traps=False)
    assert (ended.reason, ended.exit_status) == ("exited", 0)
    assert (tmp_path / "out").read_text() == "before after\n"
    assert [each.name for each in (tmp_path / "granted").iterdir()] == ["after"]


def test_an_invoked_export_returns_nothing_more(engine: Engine, tmp_path: Path) -> None:
    text = f"""(module (memory 1) (func (export "f") (result i32) {GROWS} (i32.const 7)))"""
    ended = run(engine, tmp_path, text, traps=True, invoke="f")
    assert (ended.reason, ended.results) == ("quota", ())


@pytest.mark.parametrize("is_before", [True, False])
def test_a_component_writes_nothing_more(engine: Engine, tmp_path: Path, is_before: bool) -> None:
    gets = "(local.set $stream (call $get_stdout))"
    grows = f"{GROWS} {gets}" if is_before else f"{gets} {GROWS}"
    text = (CAPSULES / "component.wat").read_text().replace(gets, grows)
    ended = run(engine, tmp_path, text, traps=True)
    assert (ended.reason, ended.exit_status) == ("quota", 134)
    assert (tmp_path / "out").read_text() == ""
