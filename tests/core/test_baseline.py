"""The baseline is measured for real: a process with the engine up and capsules instantiated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CAPSULES

from atectl.baseline import Sample, measure, of_process, stated
from atectl.errors import BaselineUnmeasured

MIB = 1 << 20


def capsule(folder: Path, text: str) -> Sample:
    path = folder / "capsule.wat"
    path.write_text(text)
    return Sample(path, 256 * MIB)


def test_an_engine_that_is_up_takes_some_tens_of_mebibytes() -> None:
    baseline = measure(())
    assert baseline.resident_bytes is not None
    assert 10 * MIB < baseline.resident_bytes < 200 * MIB
    assert baseline.source == "measured: a process with the engine up and 0 capsules instantiated"


def test_what_capsules_hold_from_the_start_counts(tmp_path: Path) -> None:
    filled = "x" * (4 * MIB)
    sample = capsule(tmp_path, f'(module (memory 65) (data (i32.const 0) "{filled}"))')
    without, with_it = measure(()).resident_bytes, measure([sample]).resident_bytes
    assert without is not None
    assert with_it is not None
    assert with_it - without > 3 * MIB


def test_memory_that_is_not_touched_does_not_count(tmp_path: Path) -> None:
    sample = capsule(tmp_path, "(module (memory 3200))")
    without, with_it = measure(()).resident_bytes, measure([sample]).resident_bytes
    assert without is not None
    assert with_it is not None
    assert with_it - without < 100 * MIB


def test_what_compiling_takes_does_not_count(tmp_path: Path) -> None:
    functions = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))" * 20_000
    sample = capsule(tmp_path, f"(module {functions})")
    first = measure([sample]).resident_bytes
    again = measure([sample]).resident_bytes
    assert first is not None
    assert again is not None
    assert abs(first - again) < 4 * MIB


def test_no_capsule_is_run(tmp_path: Path) -> None:
    sample = capsule(tmp_path, '(module (func (export "_start") (loop (br 0))))')
    baseline = measure([sample], timeout_s=50)
    assert baseline.refusals == ()
    assert baseline.source.endswith("1 capsule instantiated")


def test_modules_of_the_host_program_are_part_of_it() -> None:
    bare, with_rich = (
        measure((), program=program).resident_bytes for program in ((), ("rich.console",))
    )
    assert bare is not None
    assert with_rich is not None
    assert with_rich > bare + MIB


@pytest.mark.parametrize(
    ("sample", "code", "message"),
    [
        (Sample(CAPSULES / "initial-memory.wat", 16 * MIB), "E301", "needs 33554432 bytes"),
        (Sample(CAPSULES / "missing-import.wat", 16 * MIB), "E207", "imports env::host_log"),
        (Sample(CAPSULES / "no-such.wat", 16 * MIB), "E201", "no such file"),
        (Sample(CAPSULES / "README.md", 16 * MIB), "E203", "README.md"),
    ],
    ids=lambda value: str(value)[:4] if isinstance(value, str) else "",
)
def test_a_capsule_that_cannot_be_instantiated_is_told_with_its_error(
    sample: Sample, code: str, message: str
) -> None:
    hello = Sample(CAPSULES / "hello.wat", 16 * MIB)
    baseline = measure([sample, hello])
    [refusal] = baseline.refusals
    assert (refusal.path, refusal.code) == (sample.path, code)
    assert message in refusal.message
    assert refusal.remedy
    assert baseline.resident_bytes is not None
    assert "1 capsule instantiated" in baseline.source


def test_a_start_function_that_traps_is_told(tmp_path: Path) -> None:
    sample = capsule(tmp_path, "(module (func $f unreachable) (start $f))")
    [refusal] = measure([sample]).refusals
    assert refusal.code == "E303"


def test_a_start_function_without_end_is_given_up(tmp_path: Path) -> None:
    sample = capsule(tmp_path, "(module (func $f (loop (br 0))) (start $f))")
    baseline = measure([sample], timeout_s=2)
    assert baseline.resident_bytes is None
    assert baseline.source == "the measuring process took over 2 s"


def test_a_measuring_process_that_fails_says_why() -> None:
    baseline = measure((), program=("no_such_module",))
    assert baseline.resident_bytes is None
    assert "ended with 1: ModuleNotFoundError: No module named 'no_such_module'" in baseline.source


def test_a_running_host_is_measured_as_it_is() -> None:
    baseline = of_process(os.getpid())
    assert baseline.resident_bytes is not None
    assert baseline.resident_bytes > 10 * MIB
    assert baseline.source == f"resident size of process {os.getpid()}"


def test_a_process_that_is_gone_cannot_be_measured() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(BaselineUnmeasured, match=f"no process {child.pid}"):
        of_process(child.pid)


def test_a_process_that_has_ended_and_is_not_reaped_cannot_be_measured() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(BaselineUnmeasured):
            of_process(child.pid)


def test_a_stated_baseline_says_so() -> None:
    assert stated(MIB) == (MIB, "as stated", ())
