"""Guests with a writable folder put links where other jobs, and atectl itself, open files."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES, ROOT
from tests.support.program import ATECTL, Ended, atectl

HELLO = str(CAPSULES / "hello.wat")
ECHO = str(CAPSULES / "echo.wat")

LINKS = """(module
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename"
    (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{target}") (data (i32.const 100) "{name}") (data (i32.const 200) "moved")
  (func (export "_start")
    (drop (call $rename (i32.const 3) (i32.const 100) (i32.const {name_length})
                        (i32.const 3) (i32.const 200) (i32.const 5)))
    (call $exit (call $symlink (i32.const 0) (i32.const {target_length})
                               (i32.const 3) (i32.const 100) (i32.const {name_length})))))"""
"""Moves what is called `name` in its first folder away, and puts a link to `target` there."""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with host files, and `work`, which guests may write; the current folder."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "bashrc").write_text("the host's\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert (tmp_path / "host" / "bashrc").read_text() == "the host's\n"
    assert [each.name for each in (tmp_path / "host").iterdir()] == ["bashrc"]


def links(target: str, name: str) -> dict[str, Any]:
    """A job that puts a link into `work`."""
    text = LINKS.format(target=target, target_length=len(target), name=name, name_length=len(name))
    Path("links.wat").write_text(text)
    return {"capsule": "links.wat", "dirs": ["work"]}


def batch(*jobs: dict[str, Any], words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The results of jobs that run one after another, in their order."""
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    ended = atectl("batch", "-", "--jobs", "1", "--ledger", "none", *words, stdin=lines.encode())
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda result: result["job"])


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("is_tomorrow", [False, True])
def test_a_stream_does_not_follow_a_link_that_a_guest_made(
    host: Path, stream: str, is_tomorrow: bool
) -> None:
    bends = links("../host/bashrc", "file")
    later = {"capsule": ECHO, "stdout": "out", stream: "work/file"}
    results = [*batch(bends), *batch(later)] if is_tomorrow else batch(bends, later)
    assert [result["exit_status"] for result in results] == [0, 125]
    assert results[1]["error"]["code"] == "E318"
    assert "is a link, which a guest may have made" in results[1]["error"]["message"]
    assert not (host / "out").exists() or not (host / "out").read_bytes()


def test_a_folder_in_between_that_is_moved_and_linked_leads_nowhere(host: Path) -> None:
    (host / "work" / "sub").mkdir()
    results = batch(
        links("../host", "sub"),
        {"capsule": HELLO, "stdout": "work/sub/new"},
        {"capsule": HELLO, "dirs": ["work/sub"]},
        {"capsule": HELLO, "stdin": "work/sub/bashrc"},
    )
    assert [result["exit_status"] for result in results] == [0, 125, 2, 125]
    assert results[2]["error"]["code"] == "E105"


def test_a_run_opens_no_folder_through_a_link_that_a_guest_made(host: Path) -> None:
    (host / "work" / "sub").mkdir()
    links("../host", "sub")
    assert atectl("run", "--ledger", "none", "--dir", "work", "links.wat").status == 0
    ended = atectl("run", "--ledger", "none", "--dir", "work/sub::/sub", HELLO)
    assert (ended.status, ended.stdout) == (2, "")
    assert "error[E105]: 'work/sub' cannot be opened: sub is a link" in ended.stderr


def test_the_jobs_folder_itself_may_be_behind_a_link_of_the_operators(host: Path) -> None:
    (host / "real").mkdir()
    (host / "current").symlink_to("real")
    budget = f'[[job]]\ncapsule = "{HELLO}"\nstdout = "out"\n'
    (host / "real" / "jobs.toml").write_text(budget)
    ended = atectl("batch", "current/jobs.toml", "--ledger", "none")
    assert ended.status == 0, ended.stderr
    assert (host / "real" / "out").read_text() == "hello from a capsule\n"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_report_goes_where_it_was_to_go_before_the_guest_ran(host: Path, kind: str) -> None:
    links("../host/bashrc" if kind == "file" else "../host", "r.json" if kind == "file" else "sub")
    (host / "work" / "sub").mkdir()
    report = "work/r.json" if kind == "file" else "work/sub/r.json"
    Path(report).write_text("{}")
    ended = atectl("run", "--dir", "work", "--report", report, "links.wat", "--ledger", "none")
    assert (ended.status, ended.stderr) == (0, "")
    written = host / "work" / ("r.json" if kind == "file" else "moved/r.json")
    assert json.loads(written.read_text())["reason"] == "exited"
    assert not written.is_symlink()


@pytest.mark.parametrize("option", ["--report", "--trace", "--chart"])
def test_no_output_goes_through_a_link_that_was_there_before(host: Path, option: str) -> None:
    (host / "work" / "out").symlink_to("../host/bashrc")
    words = ("run", HELLO) if option == "--report" else ("batch", "-")
    ended = atectl(words[0], option, "work/out", *words[1:])
    assert ended.status == 125
    assert "is a link, which a guest may have made" in ended.stderr
    assert (host / "work" / "out").is_symlink()


# No output replaces an input, or another output


def refused(ended: Ended, what: str) -> None:
    assert ended.status == 2, ended.stderr
    assert "error[E330]" in ended.stderr
    assert what in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("by", ["name", "symbolic link", "link"])
def test_a_report_does_not_replace_the_capsule(host: Path, by: str) -> None:
    (host / "capsule.wat").write_text((CAPSULES / "hello.wat").read_text())
    name = "capsule.wat" if by == "name" else "other"
    if by == "link":
        os.link("capsule.wat", "other")
    elif by == "symbolic link":
        Path("other").symlink_to("capsule.wat")
    refused(atectl("run", "--report", name, "capsule.wat"), "is the capsule")
    assert (host / "capsule.wat").read_text() == (CAPSULES / "hello.wat").read_text()


def test_a_report_replaces_neither_the_ledger_nor_what_stdout_goes_to(host: Path) -> None:
    refused(atectl("run", "--report", "l.db", "--ledger", "l.db", HELLO), "is the ledger")
    with Path("out").open("wb") as out:
        ended = atectl("run", "--report", "out", HELLO, stdout_to=out)
    assert ended.status == 2
    assert Path("out").read_bytes() == b""


def test_a_report_does_not_replace_a_file_of_variables(host: Path) -> None:
    Path("variables").write_text("A=1\n")
    words = ("--env-file", "variables", "--report", "variables")
    refused(atectl("run", *words, HELLO), "is a file of variables")
    assert Path("variables").read_text() == "A=1\n"


OF_THE_LEDGER = ["l.db", "l.db-wal", "l.db-shm", "l.db-journal"]


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there"])
@pytest.mark.parametrize("name", [*OF_THE_LEDGER, "chart"])
def test_a_job_writes_no_file_that_the_batch_itself_writes_later(
    host: Path, name: str, is_there: bool
) -> None:
    if is_there:
        assert atectl("run", "--ledger", "l.db", HELLO).status == 0
    jobs = ({"capsule": HELLO, "stdout": name}, {"capsule": HELLO})
    ended = in_batch(*jobs, words=("--ledger", "l.db", "--chart", "chart"))
    told = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda each: each["job"])
    assert [each["exit_status"] for each in told] == [2, 0]
    assert told[0]["error"]["code"] == "E330"
    assert Path("chart").read_text().startswith("<svg")
    assert atectl("ledger", "ls", "--ledger", "l.db").stdout.count("\ndefault ") == 1


@pytest.mark.parametrize("name", OF_THE_LEDGER)
def test_no_output_replaces_a_file_of_the_ledger(host: Path, name: str) -> None:
    assert atectl("run", "--ledger", "l.db", HELLO).status == 0
    ledger = ("--ledger", "l.db")
    for words in (
        ("run", *ledger, "--report", name, HELLO),
        ("batch", "-", *ledger, "--trace", name),
        ("batch", "-", *ledger, "--chart", name),
        ("budget", "plan", *ledger, "--force", "--write", name),
        ("ledger", "report", *ledger, "--html", name),
    ):
        refused(atectl(*words), "the ledger")
    assert atectl("ledger", "ls", *ledger).status == 0


@pytest.mark.parametrize("option", ["--trace", "--chart"])
def test_what_is_recorded_of_a_batch_replaces_nothing_of_it(host: Path, option: str) -> None:
    Path("capsule.wat").write_text((CAPSULES / "hello.wat").read_text())
    Path("jobs.toml").write_text('[[job]]\ncapsule = "capsule.wat"\n')
    Path("old.jsonl").write_text("")
    before = {name: Path(name).read_text() for name in ("capsule.wat", "jobs.toml", "old.jsonl")}
    words = ("batch", "jobs.toml", "--resume-from", "old.jsonl", "--ledger", "l.db", option)
    refused(atectl(*words, "jobs.toml"), "is where the jobs come from")
    refused(atectl(*words, "capsule.wat"), "is a capsule")
    refused(atectl(*words, "old.jsonl"), "is the file of earlier results")
    refused(atectl(*words, "l.db"), "is the ledger")
    refused(atectl(*words, "x", "--trace", "y", "--chart", "y"), "is --trace")
    with Path("results").open("wb") as results:
        ended = atectl(*words, "results", stdout_to=results)
    assert ended.status == 2
    assert "is where the results go" in ended.stderr
    assert {name: Path(name).read_text() for name in before} == before


@pytest.mark.parametrize("option", ["--trace", "--chart"])
def test_what_is_recorded_replaces_no_capsule_of_jobs_that_come_on_stdin(
    host: Path, option: str
) -> None:
    capsule = (CAPSULES / "hello.wat").read_text()
    Path("capsule.wat").write_text(capsule)
    job = {"capsule": "capsule.wat"}
    refused(in_batch(job, words=(option, "./capsule.wat")), "is there and is no")
    assert Path("capsule.wat").read_text() == capsule
    for _ in range(2):  # it may replace one of its own kind
        assert in_batch(job, words=(option, "record")).status == 0
    Path("record").write_text("")
    assert in_batch(job, words=(option, "record")).status == 0


@pytest.mark.parametrize("by", ["name", "link"])
def test_a_plan_does_not_replace_the_ledger_that_it_is_made_from(host: Path, by: str) -> None:
    assert atectl("run", "--ledger", "l.db", HELLO).status == 0
    os.link("l.db", "linked")
    name = "l.db" if by == "name" else "linked"
    words = ("budget", "plan", "--ledger", "l.db", "--write", name, "--force")
    refused(atectl(*words), "--write: " + repr(name) + " is the ledger")
    assert atectl("ledger", "ls", "--ledger", "l.db").status == 0


@pytest.mark.parametrize("name", ["capsule.wat", "linked", "budget.toml"])
def test_a_chart_of_loading_replaces_nothing_that_is_read(host: Path, name: str) -> None:
    text = (CAPSULES / "hello.wat").read_text()
    Path("capsule.wat").write_text(text)
    os.link("capsule.wat", "linked")
    Path("budget.toml").write_text("[host]\n")
    refused(atectl("load", "capsule.wat", "--budget", "budget.toml", "--chart", name), "--chart: ")
    assert Path("capsule.wat").read_text() == text


@pytest.mark.parametrize("name", ["trace.jsonl", "linked", "-"])
def test_a_chart_of_a_simulation_does_not_replace_the_trace(host: Path, name: str) -> None:
    trace = (ROOT / "fixtures" / "traces" / "parked.jsonl").read_text()
    Path("trace.jsonl").write_text(trace)
    os.link("trace.jsonl", "linked")
    chart = "trace.jsonl" if name == "-" else name
    words = [ATECTL, "budget", "simulate", "-" if name == "-" else "trace.jsonl", "--chart", chart]
    with Path("trace.jsonl").open("rb") as stdin:
        ended = subprocess.run(words, stdin=stdin, capture_output=True, timeout=60)
    assert ended.returncode == 2
    assert b"is where the trace comes from" in ended.stderr
    assert Path("trace.jsonl").read_text() == trace


@pytest.mark.parametrize("source", ["-", "jobs"])
def test_results_are_not_added_to_the_jobs_that_they_come_of(host: Path, source: str) -> None:
    line = json.dumps({"capsule": HELLO}) + "\n"
    Path("jobs").write_text(line if source == "-" else f'[[job]]\ncapsule = "{HELLO}"\n')
    before = Path("jobs").read_text()
    with Path("jobs").open("ab") as out, Path("jobs").open("rb") as jobs:
        ended = subprocess.run(
            [ATECTL, "batch", source, "--ledger", "none"],
            stdin=jobs,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert ended.returncode == 2
    assert b"error[E330]: stdout is where the jobs come from" in ended.stderr
    assert Path("jobs").read_text() == before


def in_batch(*jobs: dict[str, Any], words: tuple[str, ...] = (), **options: Any) -> Ended:
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    return atectl("batch", "-", "--ledger", "none", *words, stdin=lines.encode(), **options)


@pytest.mark.parametrize("name", ["results", "/dev/stdout", "/proc/self/fd/1", "linked"])
def test_a_job_does_not_write_over_the_results(host: Path, name: str) -> None:
    Path("results").touch()
    os.link("results", "linked")
    jobs = [{"capsule": HELLO, stream: name} for stream in ("stdout", "stderr")]
    jobs.append({"capsule": HELLO})
    with Path("results").open("ab") as results:
        assert in_batch(*jobs, stdout_to=results).status == 1
    told = sorted(map(json.loads, Path("results").read_text().splitlines()), key=lambda r: r["job"])
    assert [each["exit_status"] for each in told] == [2, 2, 0]
    assert [(each["error"] or {}).get("code") for each in told] == ["E330", "E330", None]
    assert "is where the results go" in told[0]["error"]["message"]


def test_a_job_does_not_write_into_the_pipe_of_the_results(host: Path) -> None:
    ended = in_batch({"capsule": HELLO, "stdout": "/dev/stdout"})
    [told] = map(json.loads, ended.stdout.splitlines())
    assert told["error"]["code"] == "E330"


def test_a_job_does_not_read_what_the_jobs_come_from(host: Path) -> None:
    ended = in_batch({"capsule": ECHO, "stdin": "/dev/stdin"}, {"capsule": HELLO})
    assert sorted(json.loads(line)["exit_status"] for line in ended.stdout.splitlines()) == [0, 2]


def test_a_job_writes_over_nothing_of_its_batch(host: Path) -> None:
    Path("capsule.wat").write_text((CAPSULES / "hello.wat").read_text())
    Path("old.jsonl").write_text("")
    names = ("capsule.wat", "t", "old.jsonl")
    jobs = [{"capsule": "capsule.wat", "stdout": name} for name in names]
    ended = in_batch(*jobs, words=("--trace", "t", "--resume-from", "old.jsonl"))
    told = {each["job"]: each for each in map(json.loads, ended.stdout.splitlines())}
    assert [told[number]["error"]["code"] for number in (1, 2, 3)] == ["E330"] * 3
    assert "is the job's capsule" in told[1]["error"]["message"]
    assert Path("capsule.wat").read_text() == (CAPSULES / "hello.wat").read_text()


@pytest.mark.parametrize("names", [("out", "out"), ("out", "./out"), ("out", "work/../out")])
def test_a_second_job_that_names_the_same_file_is_refused(
    host: Path, names: tuple[str, str]
) -> None:
    ended = in_batch(*({"capsule": HELLO, "stdout": name} for name in names), words=("-j", "1"))
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["exit_status"] for each in told] == [0, 2]
    assert "an earlier job of this batch" in told[1]["error"]["message"]
    assert Path("out").read_text() == "hello from a capsule\n"


def test_a_job_does_not_write_over_its_own_input(host: Path) -> None:
    Path("in").write_text("what it reads")
    os.link("in", "linked")
    ended = in_batch(
        *({"capsule": ECHO, "stdin": "in", "stdout": name} for name in ("in", "linked"))
    )
    assert [json.loads(line)["exit_status"] for line in ended.stdout.splitlines()] == [2, 2]
    assert Path("in").read_text() == "what it reads"


def test_devices_and_pipes_may_be_shared(host: Path) -> None:
    jobs = [{"capsule": HELLO, "stdout": "/dev/null", "stderr": "/dev/null"}] * 3
    assert in_batch(*jobs).status == 0
