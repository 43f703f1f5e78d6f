"""`atectl load`, off a terminal: what it prints of each capsule, and its exit status."""

import gzip
import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import brotli
import pytest

from atectl.system.memory import resident_bytes
from tests.conftest import CAPSULES
from tests.support.bombs import slow_loops
from tests.support.program import ATECTL, NO_OTHER_PYTHON, atectl
from tests.support.real_capsules import CPYTHON, RESVG
from tests.support.waiting import wait_until
from tests.support.wasm_bytes import binary_of

MIB = 1 << 20
PAGE = 65_536
HELLO = CAPSULES / "hello.wat"


def loaded(*words: str | Path, status: int = 0, **settings: Any) -> list[dict[str, Any]]:
    ended = atectl("load", "-o", "json", *words, **settings)
    assert ended.status == status, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)["capsules"]
    return found


def wat(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# Everything at once


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_capsules")
def test_a_folder_of_everything_has_the_right_line_for_each(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    shutil.copytree(CAPSULES, folder / "fixtures")
    (folder / "cpython.wasm").symlink_to(CPYTHON)
    (folder / "resvg.wasm").symlink_to(RESVG)
    hello = binary_of(HELLO.read_text())
    (folder / "notes.txt").write_text("some notes\n")
    (folder / "cut.wasm").write_bytes(hello[: len(hello) // 2])
    (folder / "bomb.wasm.gz").write_bytes(gzip.compress(bytes(20 * MIB)))
    spec = {"WorkflowName": "prices", "Workflow": brotli.compress(hello).hex()}
    (folder / "spec.json").write_text(json.dumps(spec))
    rows = {
        str(Path(row["path"]).relative_to(folder)): row for row in loaded("-r", folder, status=1)
    }
    found = {name: (row["verdict"], row["min_memory_bytes"]) for name, row in rows.items()}
    assert {name: row for name, row in found.items() if name in _EXPECTED} == _EXPECTED
    others = {name: row for name, row in found.items() if name not in _EXPECTED}
    assert set(others) == {
        f"fixtures/{path.name}"
        for path in CAPSULES.iterdir()
        if f"fixtures/{path.name}" not in _EXPECTED
    }
    assert {verdict for verdict, _ in others.values()} == {"ok"}
    assert rows["cpython.wasm"]["cached"]
    assert rows["spec.json"]["encodings"] == ["spec", "hex", "brotli"]
    assert rows["fixtures/component.wat"]["kind"] == "component"
    assert rows["fixtures/missing-import.wat"]["missing_imports"][0]["name"] == "env::host_log"


_EXPECTED: dict[str, tuple[str, int | None]] = {
    "bomb.wasm.gz": ("bomb", None),
    # 160 pages, and the state of its 24,171 data segments and its functions.
    "cpython.wasm": ("ok", 11_006_264),
    "cut.wasm": ("truncated", None),
    "notes.txt": ("not-wasm", None),
    "resvg.wasm": ("ok", 22 * PAGE),
    "spec.json": ("ok", PAGE),
    "fixtures/README.md": ("not-wasm", None),
    "fixtures/args.wat": ("ok", 32 * PAGE),
    "fixtures/component.wat": ("ok", PAGE),
    "fixtures/initial-memory.wat": ("ok", 512 * PAGE),
    "fixtures/initial-table.wat": ("ok", 100_000 * 32),
    "fixtures/missing-import.wat": ("imports", PAGE),
    "fixtures/start-never-ends.wat": ("hangs", None),
    "fixtures/two-memories.wat": ("ok", 2 * PAGE),
}
"""Of everything that is loaded there; all other fixtures are well."""


def test_a_table_has_a_line_for_each_and_says_what_is_wrong(tmp_path: Path) -> None:
    bad = wat(tmp_path / "notes.txt", "some notes")
    ended = atectl("load", HELLO, bad)
    assert ended.status == 1
    _, good, line, _, reason, where, _, summary = ended.stdout.splitlines()
    assert good.split()[:4] == [str(HELLO), "ok", "module", "text"]
    assert line.split()[:2] == [str(bad), "not-wasm"]
    assert reason == "not-wasm[E203]: notes.txt is not WebAssembly: it begins with 'some not'"
    assert where == f"  in {tmp_path}"
    assert summary.startswith("2 capsules, 1 bad · ")
    assert ended.stderr == ""


def test_all_that_is_ok_is_status_0(tmp_path: Path) -> None:
    ended = atectl("load", HELLO)
    assert ended.status == 0
    assert ended.stdout.splitlines()[-1].startswith("1 ok · ")


# What is named


@pytest.mark.parametrize("path", ["-", "/dev/stdin", "/proc/self/fd/0"])
@pytest.mark.parametrize(
    "content", [HELLO.read_bytes(), gzip.compress(HELLO.read_bytes())], ids=["plain", "gzip"]
)
def test_a_capsule_comes_from_stdin(path: str, content: bytes) -> None:
    [row] = loaded(path, stdin=content)
    assert (row["verdict"], row["kind"]) == ("ok", "module")
    assert row["size_bytes"] == len(content)


def test_a_capsule_on_stdin_may_be_a_file() -> None:
    with HELLO.open("rb") as file:
        ran = subprocess.run([ATECTL, "load", "-"], stdin=file, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_several_capsules_come_from_pipes_of_a_shell() -> None:
    trap = CAPSULES / "trap.wat"
    script = f"{ATECTL} load -o json <(cat {HELLO}) <(cat {trap})"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    rows = json.loads(ran.stdout)["capsules"]
    assert [row["sha256"] for row in rows] == [row["sha256"] for row in loaded(HELLO, trap)]


def test_no_more_of_a_pipe_is_read_than_a_capsule_may_have() -> None:
    script = f"yes | {ATECTL} load --max-capsule 1MiB -o json {HELLO} /dev/stdin"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    rows = json.loads(ran.stdout)["capsules"]
    assert [row["verdict"] for row in rows] == ["ok", "too-large"]


def test_a_list_comes_from_stdin() -> None:
    given = f"{HELLO}\n\n{CAPSULES / 'trap.wat'}\n".encode()
    assert [row["path"] for row in loaded("-", stdin=given)] == [
        str(HELLO),
        str(CAPSULES / "trap.wat"),
    ]


@pytest.mark.parametrize("given", ["/dev/zero", "a file"])
def test_a_list_with_a_line_that_can_be_no_path_is_refused(given: str, tmp_path: Path) -> None:
    if given == "a file":
        given = str(tmp_path / "list")
        Path(given).write_bytes(b"%b\n" % (b"a" * 4096))
    with open(given, "rb") as stdin:  # noqa: PTH123
        ran = subprocess.run([ATECTL, "load", "-"], stdin=stdin, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.startswith(b"error[E101]: line 1 on stdin is longer than a path can be")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([str(CAPSULES)], "is a folder"),
        (["-"], "there is nothing to load"),
        ([], "no PATH|- was named"),
        (["--limit", "much", str(HELLO)], "E102"),
        (["--fits", "-1", str(HELLO)], "E102"),
        (["--jobs", "0", str(HELLO)], "--jobs"),
        (["--budget", "gone.toml", str(HELLO)], "gone.toml"),
    ],
)
def test_a_wrong_command_line_is_status_2(words: list[str], says: str) -> None:
    ended = atectl("load", *words)
    assert ended.status == 2
    assert says in ended.stderr
    assert ended.stdout == ""


def test_a_name_from_outside_is_inert(tmp_path: Path) -> None:
    path = wat(tmp_path / "\x1b[31mred\n.wat", "(module)")
    ended = atectl("load", path)
    assert ended.status == 0
    assert "\x1b" not in ended.stdout


# What it is held to


def test_what_does_not_fit_a_quota_is_unfit(tmp_path: Path) -> None:
    path = wat(tmp_path / "x.wat", "(module (memory 32))")
    assert loaded("--fits", "2MiB", path)[0]["verdict"] == "ok"
    [row] = loaded("--fits", "1MiB", path, status=1)
    assert (row["verdict"], row["code"]) == ("unfit", None)
    assert "needs 2MiB to start" in row["reason"]


def test_what_a_budget_does_not_grant_is_unfit(tmp_path: Path) -> None:
    path = wat(tmp_path / "x.wat", "(module (memory 32))")
    budget = wat(tmp_path / "b.toml", '[defaults]\nmax_mem = "1MiB"\n')
    [row] = loaded("--budget", budget, path, status=1)
    assert row["verdict"] == "unfit"


def test_a_bound_on_compiling_holds_and_is_told(tmp_path: Path) -> None:
    path = wat(tmp_path / "slow.wat", slow_loops(6000, 50))
    [row] = loaded("--compile-deadline", "1s", path, status=1)
    assert (row["verdict"], row["code"]) == ("time", "E211")


# How it is ended


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_it_with_what_was_done(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    slow = wat(tmp_path / "slow.wat", slow_loops(6000, 50))
    words = [ATECTL, "load", "-o", "json", str(HELLO), str(slow)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any(_names_below(process.pid, "atectl-compile")))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, stderr) == (status, "")
    assert [row["path"] for row in json.loads(stdout)["capsules"]] in ([str(HELLO)], [])
    wait_until(lambda: resident_bytes(process.pid) is None)


def _names_below(pid: int, name: str) -> list[int]:
    below = [pid]
    for each in below:
        try:
            tasks = list(Path(f"/proc/{each}/task").iterdir())
            below += [int(n) for task in tasks for n in (task / "children").read_text().split()]
        except OSError:
            continue
    return [each for each in below[1:] if _name_of(each) == name]


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_reader_that_leaves_is_no_failure() -> None:
    ran = subprocess.run(
        f"{ATECTL} load {HELLO} | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode in (0, 141)
    assert ran.stderr == ""


# Charts


def test_a_naive_loader_that_cannot_be_started_is_told() -> None:
    words = ("load", "--baseline", "naive", HELLO)
    ended = atectl(*words, before=NO_OTHER_PYTHON)
    assert ended.status == 125
    assert "error[E705]: /dev/null: Python could not be started" in ended.stderr


def test_a_chart_is_written_and_the_naive_loader_told_beside(tmp_path: Path) -> None:
    capsule = wat(tmp_path / "x.wat", "(module (memory 1))")
    chart = tmp_path / "chart.svg"
    words = ("--chart", chart, "--baseline", "naive", "--no-cache", "-o", "json", capsule)
    ended = atectl("load", *words)
    assert ended.status == 0, ended.stderr
    naive = json.loads(ended.stdout)["naive"]
    assert naive["loaded"] == 1
    assert naive["peak_bytes"] > 10 * MIB
    text = chart.read_text()
    assert "atectl load: 1 capsule in" in text
    assert "Naive: 1 in" in text


def test_a_chart_is_drawn_below_the_table() -> None:
    ended = atectl("load", "--chart", "-", HELLO)
    assert ended.status == 0
    assert "atectl load: 1 capsule in" in ended.stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--chart", "-", "-o", "json"], 2), (["--chart", "/gone/x.svg"], 125)],
)
def test_a_chart_that_cannot_be_drawn_is_told_before_anything_is_loaded(
    words: list[str], status: int
) -> None:
    ended = atectl("load", *words, HELLO)
    assert (ended.status, ended.stdout) == (status, "")


def test_without_the_cache_all_is_loaded_anew_and_nothing_is_kept() -> None:
    assert not loaded("--no-cache", HELLO)[0]["cached"]
    assert not loaded(HELLO)[0]["cached"]
    assert loaded(HELLO)[0]["cached"]
