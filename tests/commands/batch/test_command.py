"""`atectl batch`, off a terminal: jobs in, results out, and how a batch ends."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from atectl.trace.events import Registered, Ruled
from atectl.trace.reading import read_trace
from tests.conftest import CAPSULES
from tests.support.memory_group import slowed_from
from tests.support.processes import descendants_of
from tests.support.program import ATECTL, Ended, atectl
from tests.support.schemas import require_valid
from tests.support.waiting import SOON_S, wait_until
from tests.support.watched_process import run_watched

pytestmark = pytest.mark.usefixtures("shared_cache")

MIB = 1 << 20
MANY = 4_000


def wat(name: str) -> str:
    return str(CAPSULES / f"{name}.wat")


def lines_of(*jobs: dict[str, Any] | str) -> bytes:
    lines = [job if isinstance(job, str) else json.dumps(job) for job in jobs]
    return "".join(f"{line}\n" for line in lines).encode()


def batch(*jobs: dict[str, Any] | str, flags: tuple[str, ...] = ()) -> Ended:
    return atectl("batch", "-", *flags, stdin=lines_of(*jobs))


def results(ended: Ended) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    return sorted(found, key=lambda result: result["job"])


# Jobs in, results out


def test_every_job_has_one_line_and_its_files(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("what is read")
    echo = {"capsule": wat("echo"), "stdin": f"{tmp_path}/in", "stdout": f"{tmp_path}/out"}
    ended = batch({"capsule": wat("hello"), "stdout": f"{tmp_path}/hello"}, echo)
    assert ended.status == 0, ended.stderr
    assert (tmp_path / "hello").read_text() == "hello from a capsule\n"
    assert (tmp_path / "out").read_text() == "what is read"
    assert [each["job"] for each in results(ended)] == [1, 2]


def test_a_file_of_lines_is_a_source_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(lines_of({"capsule": wat("hello")}, {"capsul": 1}))
    ended = atectl("batch", path)
    assert [each["reason"] for each in results(ended)] == ["exited", "refused"]


def test_failures_are_told_by_reason_at_the_end() -> None:
    ended = batch(*({"capsule": wat("complains"), "label": f"n{n}"} for n in range(3)))
    told = ended.stderr.splitlines()
    assert told[0].startswith("    3 × exited 3: error: no such input  (n")
    assert told[1].startswith("0 done, 3 failed")
    assert results(ended)[0]["stderr"]["text"] == "reading input\nerror: no such input\n"


def test_with_json_errors_and_warnings_are_json_and_notes_are_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    warned = {"capsule": wat("hello"), "dirs": [str(tmp_path)], "label": "{}"}
    failed = {"capsule": wat("complains"), "label": "{}"}
    told = batch(warned, failed, flags=("-o", "json")).stderr.splitlines()
    documents = [json.loads(line) for line in told if line.startswith("{")]
    assert [(each["severity"], each["code"]) for each in documents] == [("warning", "E105")]
    require_valid("error", documents[0])
    notes = [line for line in told if not line.startswith("{")]
    assert notes[0].startswith("    1 × exited 3: error: no such input")
    assert notes[1].startswith("1 done, 1 failed, in ")
    assert batch(warned, failed, flags=("-o", "json", "-q")).stderr == ""


def test_what_jobs_write_is_printed_behind_their_labels_with_a_tag() -> None:
    jobs = ({"capsule": wat("complains"), "label": "a"}, {"capsule": wat("hello")})
    ended = batch(*jobs, flags=("--tag",))
    assert set(ended.stdout.splitlines()) == {"a\thalf a result", "2\thello from a capsule"}
    assert ended.stderr.splitlines()[:3] == [
        "a\treading input",
        "a\terror: no such input",
        "a\texited 3",
    ]


def test_no_name_is_cut_in_a_table_that_is_piped() -> None:
    names = {"label": "nightly/a-label-of-some-length", "principal": "team/with-a-long-name"}
    ended = batch({"capsule": wat("hello"), **names}, flags=("-o", "table"))
    assert set(names.values()) <= set(ended.stdout.split())


def test_a_dry_run_lists_the_jobs_and_runs_none(tmp_path: Path) -> None:
    out = tmp_path / "out"
    jobs = ({"capsule": wat("hello"), "stdout": str(out)}, {"capsule": "none.wat"}, {"capsul": 1})
    ended = batch(*jobs, flags=("--dry-run",))
    assert ended.status == 1
    assert [each["plan"] for each in json.loads(ended.stdout)["jobs"]] == [
        "runs",
        "refused",
        "refused",
    ]
    assert not out.exists()


def test_a_job_that_fails_is_tried_again_as_often_as_is_asked_for() -> None:
    ended = batch({"capsule": wat("trap")}, flags=("--retries", "2"))
    assert [each["attempts"] for each in results(ended)] == [3]


def test_results_are_written_to_files_too(tmp_path: Path) -> None:
    flags = ("--results", str(tmp_path / "all"), "--capture", "1KiB")
    ended = batch({"capsule": wat("hello")}, flags=flags)
    assert results(ended) == [json.loads((tmp_path / "all" / "000001.json").read_text())]
    assert (tmp_path / "all" / "000001.stdout").read_text() == "hello from a capsule\n"


def test_output_that_has_no_file_is_discarded() -> None:
    ended = batch({"capsule": wat("hello")})
    assert "hello from a capsule" not in ended.stdout + ended.stderr


def test_a_result_has_the_report_of_a_run_and_the_jobs_own_words() -> None:
    job = {"capsule": wat("grow-by-steps"), "label": "x", "principal": "blue", "max_mem": "4MiB"}
    ended = batch(job)
    [result] = results(ended)
    assert ended.status == 1
    assert (result["job"], result["label"], result["principal"]) == (1, "x", "blue")
    assert (result["reason"], result["exit_status"]) == ("exited", 3)
    assert result["quota_bytes"] == 4 * MIB
    assert result["refused_growths"] == 1
    assert 0 < result["peak_bytes"] <= 4 * MIB


def test_a_bad_line_is_one_failed_result_and_the_others_run() -> None:
    hello = {"capsule": wat("hello")}
    ended = batch(hello, "{bad", {"capsul": "x"}, {"capsule": "/no/such"}, hello)
    found = results(ended)
    assert ended.status == 1
    assert [each["exit_status"] for each in found] == [0, 2, 2, 127, 0]
    assert found[1]["error"]["message"].startswith("line 2: it is no JSON")
    assert "did you mean capsule?" in found[2]["error"]["message"]
    assert "2 done, 3 failed" in ended.stderr


def test_an_export_of_a_reactor_is_invoked_with_its_arguments() -> None:
    job = {"capsule": wat("reactor"), "invoke": "add", "args": ["2", "40"]}
    ended = batch(job, job, flags=("--pool", "2", "--jobs", "1"))
    assert ended.status == 0, ended.stderr
    assert [each["results"] for each in results(ended)] == [["42"], ["42"]]


def test_a_growth_beyond_any_quota_is_refused_and_the_guest_goes_on(tmp_path: Path) -> None:
    asks = "(drop (memory.grow (i64.const 0xffffffffffff)))"
    memory = "(memory i64 1 0x1000000000000)"
    (tmp_path / "asks.wat").write_text(f'(module {memory} (func (export "_start") {asks}))')
    ended = batch({"capsule": str(tmp_path / "asks.wat")}, flags=("--ledger", f"{tmp_path}/l.db"))
    [told] = results(ended)
    assert (ended.status, told["reason"], told["refused_growths"]) == (0, "exited", 1), told
    assert told["largest_refused_bytes"] > 1 << 63


def test_jobs_of_a_file_run_under_its_settings(tmp_path: Path) -> None:
    (tmp_path / "hello.wat").symlink_to(wat("hello"))
    file = tmp_path / "jobs.toml"
    file.write_text("""
        [principals.blue]
        max_mem = "8MiB"
        [[job]]
        capsule = "hello.wat"
        principal = "blue"
        stdout = "hello.out"
    """)
    ended = atectl("batch", file)
    assert ended.status == 0, ended.stderr
    assert results(ended)[0]["quota_bytes"] == 8 * MIB
    assert (tmp_path / "hello.out").read_text() == "hello from a capsule\n"


def test_a_folder_with_a_pipe_in_it_is_warned_of_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    job = {"capsule": str(CAPSULES / "hello.wat"), "dirs": [str(tmp_path)]}
    ended = atectl("batch", "-", stdin="".join(json.dumps(job) + "\n" for _ in range(3)).encode())
    assert ended.status == 0
    assert ended.stderr.count("warning[E105]") == 1
    assert "has devices or pipes in it, 'pipe': the guest can use them" in ended.stderr


def test_jobs_that_name_no_principal_and_share_kept_instances_are_warned_of_once() -> None:
    job = {"capsule": wat("reactor"), "invoke": "add", "args": ["1", "2"]}
    pooled = ("--pool", "1")
    assert batch(job, job, job, flags=pooled).stderr.count("warning[E329]") == 1
    assert "E329" not in batch({**job, "principal": "blue"}, flags=pooled).stderr
    assert "E329" not in batch(job).stderr


def test_a_table_has_a_row_a_job() -> None:
    ended = batch({"capsule": wat("hello"), "label": "x"}, flags=("-o", "table"))
    header, row = ended.stdout.splitlines()
    assert header.split()[:5] == ["JOB", "LABEL", "PRINCIPAL", "CAPSULE", "OUTCOME"]
    assert row.split()[:6] == ["1", "x", "default", "hello.wat", "exited", "0"]


def test_stdout_has_results_alone_and_no_escapes() -> None:
    ended = batch({"capsule": wat("hello")}, flags=("--live",))
    assert len(ended.stdout.splitlines()) == 1
    assert "\x1b" not in ended.stdout + ended.stderr


def test_the_ledger_knows_every_job() -> None:
    jobs = [{"capsule": wat("hello"), "principal": f"p{n}"} for n in (1, 2, 2)]
    assert batch(*jobs).status == 0
    listing = json.loads(atectl("ledger", "ls", "-o", "json").stdout)
    assert {x["principal"]: x["leases"] for x in listing["accounts"]} == {"p1": 1, "p2": 2}


def test_a_batch_without_jobs_succeeds_and_says_so() -> None:
    ended = batch()
    assert (ended.status, ended.stdout) == (0, "")
    assert "0 done, 0 failed, in " in ended.stderr


# Many


def test_four_thousand_jobs_take_no_more_memory_than_a_thousand() -> None:
    # Both take long enough for their size to be seen from outside.
    hello = json.dumps({"capsule": wat("hello")}) + "\n"
    command = [ATECTL, "batch", "-", "--ledger", "none"]
    few = run_watched(command, stdin=hello * (MANY // 4))
    many = run_watched(command, stdin=hello * MANY)
    assert many.status == 0, many.stderr
    assert len(many.stdout.splitlines()) == MANY
    assert many.peak_resident_bytes < few.peak_resident_bytes + 4 * MIB


@contextmanager
def begun(*words: str) -> "Iterator[subprocess.Popen[bytes]]":
    # Buffered, as it is for its users: what is not flushed is to be missed.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [ATECTL, "batch", *_with_source(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _with_source(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words themselves if they begin with a file; else jobs are read from stdin."""
    return words if words and not words[0].startswith("-") else ("-", *words)


def send(process: "subprocess.Popen[bytes]", *jobs: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(lines_of(*jobs))
    process.stdin.flush()


def next_result(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    result: dict[str, Any] = json.loads(process.stdout.readline())
    return result


def test_a_result_waits_for_no_further_job() -> None:
    with begun() as process:
        for _ in range(3):
            send(process, {"capsule": wat("hello")})
            assert next_result(process)["exit_status"] == 0
        assert process.communicate(timeout=SOON_S)[0] == b""
    assert process.returncode == 0


def test_results_come_in_order_of_completion() -> None:
    with begun("--jobs", "2") as process:
        send(process, {"capsule": wat("spin"), "label": "slow"}, {"capsule": wat("hello")})
        assert next_result(process)["job"] == 2
        process.send_signal(signal.SIGINT)
        assert next_result(process)["label"] == "slow"


def test_a_reader_that_leaves_ends_the_batch() -> None:
    with begun() as process:
        send(process, {"capsule": wat("hello")})
        next_result(process)
        assert process.stdout is not None
        process.stdout.close()
        send(process, {"capsule": wat("hello")})
        assert process.wait(timeout=SOON_S) == 141
        assert process.stderr is not None
        assert process.stderr.read().startswith(b"2 done, 0 failed")


def test_what_runs_as_the_reader_leaves_is_ended_and_counted() -> None:
    with begun("--jobs", "2") as process:
        send(process, {"capsule": wat("spin"), "deadline": "none"})
        send(process, {"capsule": wat("hello")})
        next_result(process)
        assert process.stdout is not None
        process.stdout.close()
        send(process, {"capsule": wat("hello")})
        assert process.wait(timeout=SOON_S) == 141
        assert process.stderr is not None
        assert process.stderr.read().startswith(b"2 done, 1 interrupted")


# Failures, and going on after them


def test_to_fail_fast_is_to_start_no_more_jobs(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    names = ("trap", "hello", "hello")
    file.write_text("".join(f'[[job]]\ncapsule = "{wat(name)}"\n' for name in names))
    ended = atectl("batch", file, "--fail-fast", "--jobs", "1")
    assert ended.status == 1
    assert [each["reason"] for each in results(ended)] == ["trapped"]
    assert "0 done, 1 failed, 2 not started" in ended.stderr


def test_to_fail_fast_is_to_start_no_more_jobs_after_a_line_that_is_none() -> None:
    ended = batch({"capsul": "x"}, {"capsule": wat("hello")}, flags=("--fail-fast", "--jobs", "1"))
    assert [each["reason"] for each in results(ended)] == ["refused"]
    assert "0 done, 1 failed, input not read to its end" in ended.stderr


def test_to_keep_going_is_the_default() -> None:
    ended = batch({"capsule": wat("trap")}, {"capsule": wat("hello")}, flags=("--jobs", "1"))
    assert [each["reason"] for each in results(ended)] == ["trapped", "exited"]


def test_a_batch_resumes_with_what_did_not_succeed(tmp_path: Path) -> None:
    file, out = tmp_path / "jobs.toml", tmp_path / "results.jsonl"
    file.write_text(
        "".join(f'[[job]]\ncapsule = "{wat(name)}"\n' for name in ("hello", "trap", "args"))
    )
    first = atectl("batch", file)
    out.write_text(first.stdout)
    again = atectl("batch", file, "--resume-from", out)
    assert [each["job"] for each in results(again)] == [2]
    assert "2 done before" in again.stderr


# What is recorded

CROWDED = ("--limit", "200MiB", "--backpressure", "both", "--jobs", "6")


def crowd() -> list[dict[str, Any]]:
    job = {"capsule": wat("bounded"), "args": ["x", "8"], "max_mem": "128MiB"}
    return [{**job, "label": f"part-{number}"} for number in range(6)]


def test_what_was_decided_of_a_job_is_in_its_result_and_in_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    ended = batch(*crowd(), flags=(*CROWDED, "--trace", str(path)))
    assert ended.status == 0, ended.stderr
    told = {
        (result["job"], each["action"], each["bytes"])
        for result in results(ended)
        for each in result["decisions"]
    }
    trace = read_trace(path)
    ruled = {(x.lease, x.action, x.bytes) for x in trace.events if isinstance(x, Ruled)}
    assert told == ruled
    assert {"park", "spill"} <= {action for _, action, _ in told}
    assert trace.header.budget.limit_bytes == 200 * MIB
    assert trace.header.busy_leases == min(trace.header.jobs, len(os.sched_getaffinity(0)))
    assert (trace.header.spill_room_bytes or 0) > 0
    begun = [x for x in trace.events if isinstance(x, Registered)]
    assert {(x.principal, x.capsule) for x in begun} == {("default", "bounded.wat")}


def test_the_chart_is_an_svg_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    job = {"capsule": wat("grow-by-steps"), "max_mem": "16MiB"}
    ended = batch(job, flags=("--limit", "200MiB", "--chart", str(path)))
    assert ended.status == 0, ended.stderr
    chart = ElementTree.fromstring(path.read_text())
    assert chart.tag == "{http://www.w3.org/2000/svg}svg"
    assert "200 MiB" in "".join(chart.itertext())


def test_a_trace_on_a_full_disk_takes_no_chart_with_it_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    ended = batch({"capsule": wat("hello")}, flags=("--trace", "/dev/full", "--chart", str(path)))
    assert ended.status == 125
    assert json.loads(ended.stdout)["exit_status"] == 0
    assert "/dev/full: No space left on device" in ended.stderr
    assert ElementTree.fromstring(path.read_text()).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("option", ["--chart", "--trace"])
def test_a_recording_without_a_place_is_refused_before_anything_runs(option: str) -> None:
    ended = batch({"capsule": wat("hello")}, flags=(option, "/no/such/folder/file"))
    assert (ended.status, ended.stdout) == (125, "")
    assert ended.stderr.startswith("error[E")


# What the host cannot do


def test_a_limit_below_the_hosts_own_size_is_refused_before_anything_runs(tmp_path: Path) -> None:
    job = {"capsule": wat("hello"), "stdout": f"{tmp_path}/out"}
    ended = batch(job, flags=("--limit", "1MiB"))
    assert (ended.status, ended.stdout) == (125, "")
    assert "error[E312]" in ended.stderr
    assert "1048576 bytes" in ended.stderr
    assert not (tmp_path / "out").exists()


def warned(ended: Ended) -> list[str]:
    return [line for line in ended.stderr.splitlines() if line.startswith("warning[")]


def test_a_limit_over_what_the_machine_has_is_warned_of_once() -> None:
    ended = batch({"capsule": wat("hello")}, {"capsule": wat("hello")}, flags=("--limit", "99TiB"))
    assert ended.status == 0
    [warning] = warned(ended)
    assert warning.startswith("warning[E312]: the limit of 99 TiB is over the ")


@pytest.mark.parametrize(("limit", "is_warned"), [("2GiB", True), ("1GiB", False)])
def test_a_limit_that_the_kernel_slows_the_host_down_before_is_warned_of(
    limit: str, is_warned: bool
) -> None:
    words = ("batch", "-", "--limit", limit)
    ended = atectl(
        *words, stdin=lines_of({"capsule": wat("hello")}), before=slowed_from(1024 * MIB)
    )
    assert ended.status == 0, ended.stderr
    told = "warning[E326]: above 1 GiB the kernel slows the host down: "
    assert [line[: len(told)] for line in warned(ended)] == ([told] if is_warned else [])


def test_a_limit_near_the_baseline_is_warned_of() -> None:
    ended = batch({"capsule": wat("hello")}, flags=("--limit", "2GiB", "--soft", "0.0005"))
    assert ended.status == 0, ended.stderr
    [warning] = warned(ended)
    assert warning.startswith("warning[E323]: the host itself takes ")


def test_a_job_of_a_file_that_can_never_have_its_quota_is_warned_of_and_run(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(
        f'[host]\nlimit = "200MiB"\n[[job]]\ncapsule = "{wat("hello")}"\nmax_mem = "1GiB"'
    )
    ended = atectl("batch", file)
    assert ended.status == 0, ended.stderr
    [warning] = warned(ended)
    assert warning.startswith("warning[E312]: a lease of hello.wat could never have its quota of ")


def test_a_budget_that_can_be_met_is_not_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(f'[host]\nlimit = "400MiB"\n[[job]]\ncapsule = "{wat("hello")}"\n')
    assert warned(atectl("batch", file)) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("no-such.toml",), "E"),
        (("-", "--limit", "lots"), "E102"),
        (("-", "--jobs", "0"), "E101"),
        (("-", "--policy", "fair"), "E101"),
        (("-", "--soft", "7"), "E101"),
        (("-", "--grace", "soon"), "E103"),
        (("-", "--grace", "-1"), "E103"),
        (("-", "--resume-from", "no-such.jsonl"), "E331"),
    ],
)
def test_a_bad_command_line_is_one_error_and_status_2(words: tuple[str, ...], code: str) -> None:
    ended = atectl("batch", *words)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error[{code}")
    assert "Traceback" not in ended.stderr


# Signals

SPIN = {"capsule": wat("spin"), "deadline": "none"}


def until_running(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the jobs sent before have taken their slots: a job of no length tells."""
    send(process, {"capsule": wat("hello")})
    assert next_result(process)["job"] >= 1


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_what_runs_and_tells_what_was_done(
    number: signal.Signals, status: int, reason: str
) -> None:
    with begun("--jobs", "2", "--grace", "100ms") as process:
        send(process, SPIN)
        until_running(process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=SOON_S)
    assert process.returncode == status
    [result] = [json.loads(line) for line in stdout.splitlines()]
    assert (result["job"], result["reason"], result["exit_status"]) == (1, reason, status)
    assert b"1 done, 1 interrupted" in stderr


def test_jobs_that_a_signal_kept_from_starting_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    names = ("hello", "spin", "hello", "hello")
    file.write_text("".join(f'[[job]]\ncapsule = "{wat(name)}"\n' for name in names))
    with begun(str(file), "--jobs", "1") as process:
        assert next_result(process)["job"] == 1
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=SOON_S)
    assert process.returncode == 130
    assert b"1 done, 1 interrupted, 2 not started" in stderr


def test_ctrl_c_that_ends_the_reader_too_is_status_130_and_tells_what_was_done() -> None:
    # What fails to be written stays in a buffer, and would fail again at the end.
    with begun("--jobs", "2") as process:
        send(process, SPIN)
        until_running(process)
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SOON_S) == 130
        assert process.stderr is not None
        told = process.stderr.read()
    assert b"1 done, 1 interrupted" in told
    assert b"error" not in told


def test_a_terminated_batch_lets_jobs_finish_within_the_grace() -> None:
    # A job whose capsule is still being compiled would end at once.
    assert atectl("load", wat("spin")).status == 0
    with begun("--jobs", "2", "--grace", "600s") as process:
        send(process, {"capsule": wat("spin"), "deadline": "3s"})
        until_running(process)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=SOON_S)
    assert process.returncode == 143
    assert json.loads(stdout)["reason"] == "deadline"


@pytest.mark.parametrize("grace", ["0", "0s", "none"])
def test_without_grace_a_terminated_batch_ends_its_jobs_at_once(grace: str) -> None:
    with begun("--jobs", "2", "--grace", grace) as process:
        send(process, SPIN)
        until_running(process)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=SOON_S)
    assert process.returncode == 143
    assert json.loads(stdout)["reason"] == "terminated"


def test_a_second_signal_leaves_at_once() -> None:
    with begun("--jobs", "2", "--grace", "600s") as process:
        send(process, SPIN)
        until_running(process)
        wait_until(lambda: process.send_signal(signal.SIGTERM) or process.poll() is not None)
        assert process.returncode == 143


def test_ctrl_c_does_not_wait_for_the_next_line() -> None:
    with begun() as process:
        until_running(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SOON_S) == 130
        assert process.stderr is not None
        assert b"1 done, 0 failed, input not read to its end" in process.stderr.read()


def test_a_killed_batch_leaves_no_spill_file(tmp_path: Path) -> None:
    flags = ("--limit", "160MiB", "--spill-dir", str(tmp_path), "--jobs", "6")
    with begun(*flags, "--ledger", "none") as process:
        job = {"capsule": wat("bounded"), "args": ["x", "8"], "max_mem": "128MiB"}
        send(process, *[job] * 6)
        assert process.stdin is not None
        process.stdin.close()
        wait_until(lambda: process.poll() is not None or spill_files(process.pid, tmp_path))
        assert process.poll() is None
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []


def spill_files(pid: int, folder: Path) -> list[str]:
    """The files in `folder` that the process and those that it started hold open."""
    found = []
    for each in [pid, *descendants_of(pid)]:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{each}/fd").iterdir():
                with suppress(OSError):
                    found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(f"{folder}/")]


def test_quiet_leaves_only_errors_on_stderr() -> None:
    job = json.dumps({"capsule": str(CAPSULES / "hello.wat")}).encode()
    assert atectl("batch", "-", stdin=job).stderr.startswith("1 done, 0 failed")
    assert atectl("batch", "-q", "-", stdin=job).stderr == ""
