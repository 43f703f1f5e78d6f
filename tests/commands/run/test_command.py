"""`atectl run`, off a terminal: what guests get, what is charged, and how each run ends."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from atectl import config
from atectl.ledger_store.opening import open_for_reading
from tests.conftest import CAPSULES
from tests.support.bombs import slow_loops
from tests.support.memory_group import memory_group
from tests.support.processes import children_of
from tests.support.program import ATECTL, atectl
from tests.support.real_capsules import CPYTHON, RESVG
from tests.support.waiting import SOON_S, wait_until

MIB = 1 << 20


pytestmark = pytest.mark.usefixtures("compiled_capsules")


def capsule(name: str) -> Path:
    return CAPSULES / f"{name}.wat"


def wat(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "capsule.wat"
    path.write_text(text)
    return path


# CPython


def test_cpython_computes_under_the_default_quota() -> None:
    ended = atectl("run", "--max-mem", "64MiB", CPYTHON, "-c", "print(sum(range(10**6)))")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "499999500000\n", "")


def test_cpython_beyond_its_quota_gets_a_memory_error_and_the_operator_the_numbers() -> None:
    ended = atectl("run", "--principal", "py", CPYTHON, "-c", "x = bytearray(200 << 20)")
    assert ended.status == 1
    assert "MemoryError" in ended.stderr
    assert "refused" in ended.stderr
    assert "64 MiB (67108864 bytes)" in ended.stderr
    assert "--max-mem raises it" in ended.stderr
    listing = json.loads(atectl("ledger", "ls", "-o", "json").stdout)
    [account] = listing["accounts"]
    assert account["principal"] == "py"
    assert 0 < account["peak_bytes"] <= 64 * MIB
    assert account["refused_growths"] >= 1


# What a guest is given


SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4">
  <rect width="4" height="4"/></svg>"""


def test_a_renderer_reads_one_folder_and_writes_another(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "a.svg").write_text(SVG)
    ended = atectl(
        "run", "--dir", f"{tmp_path}/in::/in:ro", "--dir", f"{tmp_path}/out::/out",
        RESVG, "/in/a.svg", "/out/a.png",
    )  # fmt: skip
    assert ended.status == 0, ended.stderr
    assert (tmp_path / "out" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_read_only_folder_cannot_be_written(tmp_path: Path) -> None:
    program = "open('/in/new', 'w')"
    ended = atectl("run", "--dir", f"{tmp_path}::/in:ro", CPYTHON, "-c", program)
    assert ended.status == 1
    assert "Error" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/in/../secret", "/in/link", "/etc/passwd"])
def test_a_guest_cannot_leave_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("the secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    program = f"print(open({path!r}).read())"
    ended = atectl("run", "--dir", f"{tmp_path}/in::/in", CPYTHON, "-c", program)
    assert ended.status == 1
    assert "secret" not in ended.stdout


def test_a_folder_with_pipes_or_devices_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "below").mkdir()
    ended = atectl("run", "--dir", tmp_path, capsule("hello"))
    assert (ended.status, ended.stderr) == (0, "")
    os.mkfifo(tmp_path / "pipe")
    ended = atectl("run", "--dir", tmp_path, capsule("hello"))
    assert (ended.status, ended.stdout) == (0, "hello from a capsule\n")
    assert "warning[E105]" in ended.stderr
    assert "has devices or pipes in it, 'pipe': the guest can use them" in ended.stderr
    assert "mounted nodev" in ended.stderr


def test_a_capsule_whose_name_is_not_utf_8_runs(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"args\xff.wat")
    path.write_bytes(capsule("args").read_bytes())
    ended = atectl("run", path, "word")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "word\n", "")


def test_a_name_that_is_not_utf_8_is_told_in_one_way_everywhere(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.wat")
    path.write_bytes(capsule("hello").read_bytes())
    report, places = tmp_path / "report", {"ATECTL_LEDGER": str(tmp_path / "ledger")}
    atectl("run", "--label", "l\udcff", "--report", report, path, environment=places)
    told = [
        report.read_text(),
        atectl("ledger", "history", environment=places).stdout,
        atectl("ledger", "history", "-o", "json", environment=places).stdout,
        atectl("load", path, "-o", "json").stdout,
        atectl("inspect", tmp_path / "no\udcff", "-o", "json").stderr,
    ]
    assert [text for text in told if r"\xff" not in text or "udcff" in text] == []


def test_an_argument_that_is_not_utf_8_is_refused() -> None:
    ended = atectl("run", capsule("args"), os.fsdecode(b"\xff"))
    assert ended.status == 2
    assert r"error[E101]: '\xff' is not UTF-8, which WASI asks for" in ended.stderr


def test_no_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hidden")
    program = "import os; print(sorted(os.environ))"
    assert atectl("run", CPYTHON, "-c", program).stdout == "[]\n"
    assert atectl("run", "--env", "TOKEN", CPYTHON, "-c", program).stdout == "['TOKEN']\n"


def test_output_to_a_pipe_is_untouched_byte_for_byte() -> None:
    raw = subprocess.run([ATECTL, "run", capsule("escapes")], capture_output=True, timeout=60)
    assert b"\x1b" in raw.stdout
    assert b"\x1b" not in raw.stderr


def test_stdin_is_the_guests(tmp_path: Path) -> None:
    blob = bytes(range(256)) * 1000
    raw = subprocess.run(
        [ATECTL, "run", capsule("echo")], input=blob, capture_output=True, timeout=60
    )
    assert raw.stdout == blob


# How a run ends


def report_of(*words: str | Path, status: int) -> dict[str, Any]:
    ended = atectl("run", "--report", "-", *words)
    assert ended.status == status, ended.stderr
    start, end = ended.stderr.index("{"), ended.stderr.rindex("}") + 1
    report: dict[str, Any] = json.loads(ended.stderr[start:end])
    assert report["exit_status"] == status
    return report


def test_the_report_has_the_names_that_scripts_rely_on() -> None:
    report = report_of(capsule("hello"), status=0)
    assert set(report) >= {
        "schema_version", "reason", "exit_status", "principal", "capsule", "quota_bytes",
        "peak_bytes", "grown_bytes", "refused_growths", "largest_refused_bytes", "cpu_s",
        "wall_s", "byte_seconds", "fuel",
    }  # fmt: skip
    assert report["reason"] == "exited"


@pytest.mark.parametrize("status", [2, 124, 125, 126, 127, 130, 134, 137, 143])
def test_a_guest_may_return_any_status_of_ours_and_the_reason_tells(
    tmp_path: Path, status: int
) -> None:
    exits = wat(
        tmp_path,
        f"""(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 0) (func (export "_start") (call $exit (i32.const {status}))))""",
    )
    assert report_of(exits, status=status)["reason"] == "exited"


def test_returning_from_start_is_success(tmp_path: Path) -> None:
    assert report_of(wat(tmp_path, '(module (func (export "_start")))'), status=0)


def test_a_deadline_ends_a_guest_that_spins() -> None:
    report = report_of("--deadline", "300ms", capsule("spin"), status=124)
    assert report["reason"] == "deadline"
    assert report["wall_s"] >= 0.3


def test_a_deadline_ends_a_guest_asleep_in_a_host_call() -> None:
    report = report_of("--deadline", "300ms", capsule("sleep"), status=124)
    assert report["cpu_s"] < 0.5


def test_a_deadline_ends_a_guest_that_waits_for_input() -> None:
    reading, writing = os.pipe()
    ended = subprocess.run(
        [ATECTL, "run", "--deadline", "300ms", capsule("echo")],
        stdin=reading,
        capture_output=True,
        timeout=30,
    )
    os.close(writing)
    os.close(reading)
    assert ended.returncode == 124


def test_a_tables_growth_fails_whatever_is_chosen_for_memories_and_the_help_says_so() -> None:
    words = ["run", "--max-mem", "1MiB", "--on-refused-growth", "trap", capsule("table-hog")]
    assert atectl(*words).status == 32  # what it returns once it was refused
    shown = atectl("run", "--help", environment={"COLUMNS": "200"}).stdout
    assert "a table's growth always fails" in " ".join(shown.split())


WRITES_AFTER_A_REFUSAL = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "before\\nafter\\n")
  (func $say (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $say (i32.const 16) (i32.const 7))
    (drop (memory.grow (i32.const 60000)))
    (call $say (i32.const 23) (i32.const 6))))"""


@pytest.mark.parametrize(
    ("word", "status", "said"), [("fail", 0, "before\nafter\n"), ("trap", 134, "before\n")]
)
def test_a_refused_growth_is_the_end_of_a_guest_where_that_is_asked_for(
    tmp_path: Path, word: str, status: int, said: str
) -> None:
    writes = wat(tmp_path, WRITES_AFTER_A_REFUSAL)
    ended = atectl("run", "--on-refused-growth", word, writes)
    assert (ended.status, ended.stdout) == (status, said)
    assert ("error[E305]" in ended.stderr) == (word == "trap")


def test_help_says_that_no_quota_holds_in_a_folder_that_is_granted() -> None:
    shown = atectl("run", "--help", environment={"COLUMNS": "200"}).stdout
    assert "if it may write there, no quota limits how much" in " ".join(shown.split())


def test_a_report_goes_by_the_umask_or_keeps_whose_the_file_was(tmp_path: Path) -> None:
    new, old, link = (tmp_path / name for name in ("new.json", "old.json", "link.json"))
    old.write_text("of an earlier run")
    old.chmod(0o640)
    link.symlink_to(old)
    if os.geteuid() == 0:
        os.chown(old, 1234, 1235)
    before = old.stat()
    assert atectl("run", "--report", link, capsule("hello")).status == 125
    assert old.read_text() == "of an earlier run"
    for report in (new, old):
        assert atectl("run", "--report", report, capsule("hello"), umask=0o077).status == 0
    assert new.stat().st_mode & 0o777 == 0o600
    after = old.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == before[:1] + before[4:6]


def test_fuel_that_is_not_used_up_is_reported() -> None:
    report = report_of("--fuel", "1000000", capsule("hello"), status=0)
    assert 0 < report["fuel"] < 1_000_000


def test_the_stack_is_the_guests_to_choose_within_bounds(tmp_path: Path) -> None:
    recursing = wat(
        tmp_path,
        """(module (func $down (param i32)
          (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "_start") (call $down (i32.const 200000))))""",
    )
    assert report_of(recursing, status=134)["trap"]["name"] == "stack overflow"
    assert report_of("--max-stack", "64MiB", recursing, status=0)


@pytest.mark.parametrize("name", ["spin", "sleep"])
@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_a_signal_ends_the_guest_and_the_ledger_has_what_it_used(
    tmp_path: Path, name: str, number: signal.Signals, status: int, reason: str
) -> None:
    report = tmp_path / "report.json"
    with started("run", "--principal", "signalled", "--report", report, capsule(name)) as process:
        wait_until(is_running)
        process.send_signal(number)
        assert process.wait(SOON_S) == status
    assert json.loads(report.read_text())["reason"] == reason
    [lease] = json.loads(atectl("ledger", "history", "-o", "json").stdout)["leases"]
    assert (lease["reason"], lease["exit_status"]) == (reason, status)
    assert lease["peak_bytes"] > 0


def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with started("run", "--report", report, capsule("sleep")) as process:
        wait_until(is_running)
        with closing(sqlite3.connect(config.ledger_place(None), isolation_level=None)) as ledger:
            # An orderly end waits for seconds to write to the ledger, and then writes the report.
            ledger.execute("BEGIN EXCLUSIVE")
            wait_until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None)
    assert process.returncode == 130
    assert not report.exists()


def test_a_reader_that_leaves_does_not_bring_a_traceback(tmp_path: Path) -> None:
    endless = wat(
        tmp_path,
        """(module (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (data (i32.const 16) "line\\n")
          (func (export "_start")
            (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 5))
            (loop $again
              (br_if $again (i32.eqz
                (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            unreachable))""",
    )
    script = f"{shlex.join([ATECTL, 'run', str(endless)])} | head -n 1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert ended.stdout == "line\n134\n"
    assert "Traceback" not in ended.stderr


def test_an_interrupt_does_not_wait_for_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with started("run", CPYTHON, "-c", "pass") as process:
        wait_until(lambda: b"libwasmtime" in Path(f"/proc/{process.pid}/maps").read_bytes())
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON_S) == 130
    assert not list(tmp_path.rglob("*.cwasm"))


# Bad input


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["no-such-file.wasm"], "E201", 127),
        (["/tmp"], "E202", 126),
        (["/bin/true"], "E206", 126),
        (["/etc/hostname"], "E203", 126),
        (["--max-men", "1MiB", "x.wasm"], "E101", 2),
        (["--report", "/no/such/folder/report.json", "x.wasm"], "E602", 125),
        (["--report", "/tmp", "x.wasm"], "E602", 125),
        (["--invoke", "nothing", CAPSULES / "reactor.wat"], "E107", 2),
    ],
)
def test_bad_input_is_one_error_with_its_status(
    words: list[str | Path], code: str, status: int
) -> None:
    ended = atectl("run", *words)
    assert ended.status == status
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error[{code}]: ")
    assert "\n  try: " in ended.stderr
    assert ended.stderr.count("error[") == 1
    assert "Traceback" not in ended.stderr


def test_a_shared_memory_is_refused_by_its_name(tmp_path: Path) -> None:
    ended = atectl("run", wat(tmp_path, '(module (memory 1 2 shared) (func (export "_start")))'))
    assert ended.status == 126
    assert "shared memory" in ended.stderr


def test_an_unknown_export_is_answered_with_those_there_are() -> None:
    assert "add" in atectl("run", "--invoke", "nothing", capsule("reactor")).stderr


def test_a_capsule_that_could_not_be_run_is_reported_too(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    atectl("run", "--report", report, "no-such-file.wasm")
    found = json.loads(report.read_text())
    assert (found["reason"], found["exit_status"], found["error"]["code"]) == (
        "refused", 127, "E201",
    )  # fmt: skip


@pytest.mark.parametrize("content", [None, b"no database" * 1000], ids=["no folder", "no database"])
def test_a_ledger_that_cannot_be_written_costs_a_warning_and_not_the_run(
    tmp_path: Path, content: bytes | None
) -> None:
    place = tmp_path / ("ledger.db" if content else "no-folder/ledger.db")
    if content:
        place.write_bytes(content)
    ended = atectl("run", "--ledger", place, capsule("exit-status"))
    assert ended.status == 7
    assert ended.stderr.startswith("warning[E40")
    assert ended.stderr.count("warning[") == 1
    assert content is None or place.read_bytes() == content


def test_without_a_ledger_nothing_is_kept() -> None:
    atectl("run", "--ledger", "none", capsule("hello"))
    assert json.loads(atectl("ledger", "ls", "-o", "json").stdout)["accounts"] == []


def test_a_link_in_place_of_the_cache_costs_a_warning_and_nothing_behind_it(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir(mode=0o700)
    for name in ("a.tmp", "b.meta", "c.stat"):
        (others / name).write_text("of somebody else")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "atectl").symlink_to(others)
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = atectl("run", capsule("hello"), environment=environment)
    assert (ended.status, ended.stderr[:13]) == (0, "warning[E601]")
    assert sorted(each.name for each in others.iterdir()) == ["a.tmp", "b.meta", "c.stat"]


def test_a_cache_of_somebody_elses_mode_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "atectl").mkdir()
    (tmp_path / "atectl").chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ended = atectl("run", capsule("hello"))
    assert ended.status == 0
    assert ended.stderr.startswith("warning[E601]")
    assert list((tmp_path / "atectl").iterdir()) == []


@contextmanager
def started(*words: str | Path) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [ATECTL, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def is_running() -> bool:
    """Whether the ledger, once there is one, has a lease that runs."""
    if not config.ledger_place(None).exists():
        return False
    with closing(open_for_reading()) as store:
        return bool(store.running())


def test_the_package_of_a_capsule_stands_in_the_report_and_in_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "prices.wat").write_text('(module (func (export "_start")))')
    manifest = tmp_path / "Capsule.toml"
    manifest.write_text(
        '[package]\nname = "prices"\nversion = "1.2.0"\n[[component]]\nfile = "prices.wat"\n'
    )
    ledger, report = tmp_path / "ledger.db", tmp_path / "report.json"
    ended = atectl("run", "--ledger", ledger, "--report", report, manifest)
    assert ended.status == 0, ended.stderr
    found = json.loads(report.read_text())
    assert (found["package"], found["version"]) == ("prices", "1.2.0")
    listed = atectl("ledger", "ls", "--ledger", ledger, "-o", "json").stdout
    [account] = json.loads(listed)["accounts"]
    assert account["last_capsule"] == "prices.wat (prices 1.2.0)"


def test_a_quota_that_the_control_group_has_no_memory_for_is_warned_of() -> None:
    with memory_group(400 * MIB) as group:
        ended = subprocess.run(
            ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh", ATECTL, "run",
             "--max-mem", "2GiB", CAPSULES / "hello.wat"],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "hello from a capsule\n")
    assert "warning[E322]: the quota of 2 GiB is over the 400 MiB that the control" in ended.stderr
    assert atectl("run", "--max-mem", "65MiB", CAPSULES / "hello.wat").stderr == ""


@pytest.mark.parametrize(
    ("number", "reason", "status"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_run_that_is_ended_while_its_capsule_is_compiled_has_a_report(
    tmp_path: Path, number: signal.Signals, reason: str, status: int
) -> None:
    slow, report = wat(tmp_path, slow_loops(6000, 50)), tmp_path / "report.json"
    words = [ATECTL, "run", "--no-cache", "--report", report, slow]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        wait_until(lambda: children_of(process.pid))
        process.send_signal(number)
        process.communicate(timeout=SOON_S)
    assert process.returncode == status
    found = json.loads(report.read_text())
    assert (found["reason"], found["exit_status"]) == (reason, status)
    assert found["error"]["code"] == "E307"


def test_quiet_leaves_only_errors_on_stderr() -> None:
    words = ("--max-mem", "128KiB", CAPSULES / "never-stops-growing.wat")
    assert "note: " in atectl("run", *words).stderr
    assert atectl("run", "-q", *words).stderr == ""
    failed = atectl("run", "-q", CAPSULES / "trap.wat")
    assert failed.stderr.splitlines()[-2].startswith("error[E303]: ")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/proc/self/fd/0"])
@pytest.mark.parametrize("option", ["--cache", "--no-cache"])
def test_a_capsule_comes_through_stdin(name: str, option: str) -> None:
    for _ in range(2):
        ran = atectl("run", option, name, stdin=(CAPSULES / "hello.wat").read_bytes())
        assert (ran.status, ran.stdout, ran.stderr) == (0, "hello from a capsule\n", "")


def test_another_capsule_through_the_same_pipe_is_another() -> None:
    for name, status in (("hello", 0), ("exit-status", 7), ("hello", 0)):
        assert atectl("run", "-", stdin=(CAPSULES / f"{name}.wat").read_bytes()).status == status


def test_a_capsule_from_a_shells_pipe_leaves_stdin_to_the_guest() -> None:
    script = f"echo data | {ATECTL} run <(cat {CAPSULES / 'echo.wat'})"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "data\n")


def test_no_more_of_a_pipe_is_read_than_a_capsule_may_have() -> None:
    script = f"yes | {ATECTL} run --max-capsule 1MiB -"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert "error[E209]: stdin has more than" in ran.stderr


def test_a_batch_takes_no_capsule_from_where_its_jobs_come_from() -> None:
    ran = atectl("batch", "-q", "-", stdin=b'{"capsule": "/dev/stdin"}\n')
    [result] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert result["error"]["code"] == "E202"


def test_a_job_says_why_it_takes_no_capsule_from_stdin() -> None:
    ran = atectl("batch", "-q", "-", stdin=b'{"capsule": "-"}\n')
    [result] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert result["error"]["code"] == "E330"
    assert "- would be stdin" in result["error"]["message"]
    assert "write the capsule to a file" in result["error"]["remedy"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("https://example.com/x.wasm",), 127, "https://example.com/x.wasm: URLs are not fetched"),
        (("ghcr.io/foo/bar:latest",), 127, "an image in a registry has to be pulled first"),
        (("--max-mem", "64", CAPSULES / "hello.wat"), 137, "write --max-mem 64MiB if that is"),
        (("--max-mem", "64", "MiB", CAPSULES / "hello.wat"), 2, "write 64MiB, without a space"),
        (("--deadline", "5", "s", CAPSULES / "hello.wat"), 2, "write 5s, without a space"),
    ],
)
def test_what_was_likely_meant_is_said(words: tuple[Any, ...], status: int, says: str) -> None:
    ran = atectl("run", *words)
    assert ran.status == status
    assert says in ran.stderr


def test_a_capsule_whose_name_is_a_unit_is_run(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes((CAPSULES / "hello.wat").read_bytes())
    assert atectl("run", "--max-mem", "6400000", "m", cwd=tmp_path).status == 0


def test_the_report_of_a_refused_run_has_the_keys_of_a_finished_one(tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    keys = []
    for capsule in (CAPSULES / "hello.wat", tmp_path / "nowhere.wasm"):
        atectl("run", "--report", place, capsule)
        keys.append(set(json.loads(place.read_text())))
    assert keys[0] == keys[1]
