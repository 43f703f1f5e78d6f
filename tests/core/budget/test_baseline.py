"""The baseline is measured for real: a process with the engine up and capsules instantiated."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from atectl.budget.baseline import (
    Baseline,
    Refusal,
    Sample,
    measure,
    not_below,
    of_process,
    stated,
    with_trials,
)
from atectl.budget.baseline_child import _Host
from atectl.budget.errors import BaselineUnmeasured
from atectl.capsule.compiler import Compiler
from atectl.capsule.limits import CompileLimits
from atectl.engine.metered import Engine
from atectl.errors import DeadlinePassed
from atectl.ledger_store.records import LOST, PARKED, SPILLED, LeaseRecord
from atectl.system.apart import Apart
from atectl.system.processes import own_identity
from tests.conftest import CAPSULES
from tests.support.bombs import merge_bomb
from tests.support.ledger_records import HOST, lease
from tests.support.processes import computing_child, is_alive
from tests.support.waiting import wait_until

MIB = 1 << 20


def capsule(folder: Path, text: str) -> Sample:
    path = folder / "capsule.wat"
    path.write_text(text)
    return sample(path, 256)


def sample(path: Path, mebibytes: int, least: int | None = None) -> Sample:
    return Sample(path, (least or mebibytes) * MIB, mebibytes * MIB)


def held(mebibytes: int, **changes: object) -> LeaseRecord:
    """A lease of this process that holds so much."""
    usual = {"host": HOST, "pid": os.getpid(), "current_bytes": mebibytes * MIB}
    return lease(**{**usual, **changes})


def test_an_engine_that_is_up_takes_some_tens_of_mebibytes() -> None:
    baseline = measure(())
    assert baseline.resident_bytes is not None
    assert 10 * MIB < baseline.resident_bytes < 200 * MIB
    assert baseline.source == "measured: a process with the engine up and 0 capsules instantiated"


def test_what_capsules_hold_from_the_start_counts(tmp_path: Path) -> None:
    filled = "x" * (4 * MIB)
    one = capsule(tmp_path, f'(module (memory 65) (data (i32.const 0) "{filled}"))')
    without, with_it = measure(()).resident_bytes, measure([one]).resident_bytes
    assert without is not None
    assert with_it is not None
    assert with_it - without > 3 * MIB


def test_memory_that_is_not_touched_does_not_count(tmp_path: Path) -> None:
    one = capsule(tmp_path, "(module (memory 3200))")
    without, with_it = measure(()).resident_bytes, measure([one]).resident_bytes
    assert without is not None
    assert with_it is not None
    assert with_it - without < 100 * MIB


def test_what_compiling_takes_does_not_count(tmp_path: Path) -> None:
    functions = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))" * 20_000
    one = capsule(tmp_path, f"(module {functions})")
    first = measure([one]).resident_bytes
    again = measure([one]).resident_bytes
    assert first is not None
    assert again is not None
    assert abs(first - again) < 4 * MIB


def test_a_capsule_may_cost_no_more_than_is_said(tmp_path: Path) -> None:
    one = capsule(tmp_path, merge_bomb(400, 400))
    limits = CompileLimits(memory_bytes=64 * MIB)
    baseline, without = measure([one], compiling=limits), measure(())
    assert [refusal.code for refusal in baseline.refusals] == ["E210"]
    assert baseline.resident_bytes is not None
    assert without.resident_bytes is not None
    assert abs(baseline.resident_bytes - without.resident_bytes) < 20 * MIB


def test_no_capsule_is_run(tmp_path: Path) -> None:
    one = capsule(tmp_path, '(module (func (export "_start") (loop (br 0))))')
    baseline = measure([one], timeout_s=50)
    assert baseline.refusals == ()
    assert baseline.source.endswith("1 capsule instantiated")


def test_modules_of_the_host_program_are_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a process holds by itself varies by some mebibytes, so this is far more than that.
    (tmp_path / "large_module.py").write_text("held = b'x' * (64 << 20)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    bare, with_module = (
        measure((), program=program).resident_bytes for program in ((), ("large_module",))
    )
    assert bare is not None
    assert with_module is not None
    assert with_module > bare + 32 * MIB


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("initial-memory.wat", "E301", "needs 33554432 bytes"),
        ("missing-import.wat", "E207", "imports env::host_log"),
        ("no-such.wat", "E201", "no such file"),
        ("README.md", "E203", "README.md"),
    ],
    ids=lambda value: str(value)[:4],
)
def test_a_capsule_that_cannot_be_instantiated_is_told_with_its_error(
    name: str, code: str, message: str
) -> None:
    baseline = measure([sample(CAPSULES / name, 16), sample(CAPSULES / "hello.wat", 16)])
    [refusal] = baseline.refusals
    assert (refusal.path, refusal.code, refusal.is_certain) == (CAPSULES / name, code, True)
    assert message in refusal.message
    assert refusal.remedy
    assert baseline.resident_bytes is not None
    assert "1 capsule instantiated" in baseline.source


def test_a_start_function_that_traps_is_told(tmp_path: Path) -> None:
    one = capsule(tmp_path, "(module (func $f unreachable) (start $f))")
    [refusal] = measure([one]).refusals
    assert refusal.code == "E303"


def test_a_capsule_that_starts_under_its_largest_quota_only_is_told_and_counts() -> None:
    baseline = measure([sample(CAPSULES / "initial-memory.wat", 64, least=16)])
    [refusal] = baseline.refusals
    assert "its quota is 16777216 bytes" in refusal.message
    assert "1 capsule instantiated" in baseline.source


def test_a_capsule_with_two_quotas_that_starts_under_both_counts_once() -> None:
    baseline = measure([sample(CAPSULES / "hello.wat", 64, least=16)])
    assert baseline.refusals == ()
    assert "1 capsule instantiated" in baseline.source


NEVER_STARTS = CAPSULES / "start-never-ends.wat"


def test_a_start_function_without_end_is_ended_and_the_capsule_named() -> None:
    baseline = measure(
        [sample(NEVER_STARTS, 16, least=8), sample(CAPSULES / "hello.wat", 16)], start_s=2
    )
    [refusal] = baseline.refusals
    assert (refusal.path, refusal.code, refusal.is_certain) == (NEVER_STARTS, "E302", False)
    assert "start-never-ends.wat can start is not known" in refusal.message
    assert "still running after 2 s" in refusal.message
    assert "1 capsule instantiated" in baseline.source


def test_a_start_function_that_was_ended_computes_no_more() -> None:
    with Compiler(Engine()) as compiler, pytest.raises(DeadlinePassed):
        _Host(compiler, 0.2).try_out(NEVER_STARTS, 16 * MIB, 16 * MIB)
    wait_until(lambda: NEVER_STARTS.name not in [each.name for each in threading.enumerate()])


def test_a_start_function_that_sleeps_in_a_host_call_is_left_alone(tmp_path: Path) -> None:
    """Ten minutes of sleep: no tick of the engine reaches it in time."""
    asleep = capsule(
        tmp_path,
        """(module
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func $start
            (i64.store (i32.const 24) (i64.const 600000000000))
            (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
          (start $start))""",
    )
    began = time.monotonic()
    baseline = measure([asleep], start_s=0.2)
    assert time.monotonic() - began < 60
    assert [refusal.code for refusal in baseline.refusals] == ["E302"]
    assert baseline.resident_bytes is not None


def test_what_is_compiled_and_what_does_not_start_are_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = sample(NEVER_STARTS, 16)
    compiled = capsule(tmp_path, f"(module (data {json.dumps(tmp_path.name)}))")
    tried: list[list[str]] = []
    ask = Apart.ask

    def listen(apart: Apart, question: dict[str, Any], timeout_s: float | None = None) -> Any:
        tried.append([path for path, *_ in question["capsules"]])
        return ask(apart, question, timeout_s)

    monkeypatch.setattr(Apart, "ask", listen)
    baseline = measure([late, compiled], start_s=2)
    assert tried == [[str(late.path), str(compiled.path)]]
    assert [refusal.path for refusal in baseline.refusals] == [NEVER_STARTS]
    assert "1 capsule instantiated" in baseline.source


def test_a_measuring_that_takes_too_long_is_given_up() -> None:
    baseline = measure([sample(NEVER_STARTS, 16)], timeout_s=1)
    assert baseline.resident_bytes is None
    assert baseline.source == "the measuring process failed: it took over 1 s"


def test_a_measuring_process_that_fails_says_why() -> None:
    baseline = measure((), program=("no_such_module",))
    assert baseline.resident_bytes is None
    assert "ended with 1: ModuleNotFoundError: No module named 'no_such_module'" in baseline.source


def test_a_running_host_is_measured_as_it_is() -> None:
    baseline = of_process(os.getpid(), [])
    assert baseline.resident_bytes is not None
    assert baseline.resident_bytes > 10 * MIB
    source = f"resident size of process {os.getpid()}; the ledger knows no lease of it"
    assert (baseline.source, baseline.gaps) == (source, ())


def test_what_leases_of_a_running_host_hold_is_no_part_of_its_baseline() -> None:
    whole = of_process(os.getpid(), []).resident_bytes
    assert whole is not None
    leases = [held(4), held(3, state=PARKED), held(100, state=SPILLED)]
    less = of_process(os.getpid(), leases)
    assert less.resident_bytes is not None
    assert abs(whole - less.resident_bytes - 7 * MIB) < MIB
    assert less.source.endswith(", less the 7 MiB of its 3 leases")


def test_leases_of_a_host_that_goes_by_another_name_are_found_by_its_process() -> None:
    lease = held(4, host="east", process=own_identity())
    assert "its 1 lease" in of_process(os.getpid(), [lease]).source


@pytest.mark.parametrize(
    "changes",
    [{"pid": 1}, {"process": "another"}, {"state": LOST}],
    ids=lambda each: next(iter(each)),
)
def test_leases_of_others_are_not_subtracted(changes: dict[str, object]) -> None:
    assert "knows no lease of it" in of_process(os.getpid(), [held(4, **changes)]).source


def test_leases_that_hold_more_than_is_resident_leave_no_less_than_an_idle_host_takes() -> None:
    nothing = of_process(os.getpid(), [held(1 << 20)])
    assert nothing.resident_bytes == 0
    idle = Baseline(30 * MIB, "measured")
    found = not_below(nothing, idle)
    assert found.resident_bytes == 30 * MIB
    assert found.source == f"measured; {nothing.source}, would be less"
    assert not_below(nothing, Baseline(None, "it took too long")) == nothing


def test_a_running_host_that_has_no_leases_takes_what_it_takes() -> None:
    small = of_process(os.getpid(), [])
    assert not_below(small, Baseline(1 << 50, "measured")) == small


def test_where_no_ledger_tells_of_leases_an_idle_host_stands_for_the_running_one() -> None:
    unknown = of_process(os.getpid(), None)
    assert unknown.resident_bytes is None
    [gap] = unknown.gaps
    assert "no ledger tells how much of the " in gap
    found = not_below(unknown, Baseline(30 * MIB, "measured"))
    assert found == Baseline(30 * MIB, f"measured; {unknown.source}", (), unknown.gaps)


def test_a_baseline_that_was_stated_keeps_its_size_and_gains_the_refusals() -> None:
    refusal = Refusal(Path("a.wat"), "E207", "no", "mend it")
    assert with_trials(stated(MIB), Baseline(2, "measured", (refusal,))) == Baseline(
        MIB, "as stated", (refusal,)
    )


def test_capsules_that_could_not_be_tried_are_a_gap() -> None:
    [gap] = with_trials(stated(MIB), Baseline(None, "no process could be started")).gaps
    assert gap == "whether the capsules can start was not tried: no process could be started"


def test_the_measuring_process_ends_with_the_one_that_asked() -> None:
    asks = (
        "from atectl.budget.baseline import Sample, measure; from pathlib import Path; "
        f"measure([Sample(Path({str(NEVER_STARTS)!r}), 1 << 24, 1 << 24)], start_s=50)"
    )
    with subprocess.Popen([sys.executable, "-c", asks]) as parent:
        child = computing_child(parent.pid)
        parent.kill()
    wait_until(lambda: not is_alive(child))


def test_a_process_that_is_gone_cannot_be_measured() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(BaselineUnmeasured, match=f"no process {child.pid}"):
        of_process(child.pid, [])


def test_a_process_that_has_ended_and_is_not_reaped_cannot_be_measured() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(BaselineUnmeasured):
            of_process(child.pid, [])


def test_a_stated_baseline_says_so() -> None:
    assert stated(MIB) == (MIB, "as stated", (), (), False)
