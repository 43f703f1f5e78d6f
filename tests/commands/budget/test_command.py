"""`atectl budget` as its users and their scripts meet it."""

import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from atectl.ledger_store.opening import open_for_writing
from tests.conftest import CAPSULES, ROOT
from tests.support.bombs import merge_bomb
from tests.support.lease_records import finish
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.memory_group import memory_group, slowed_from
from tests.support.processes import alive_in_session, computing_child
from tests.support.program import ATECTL, Ended, atectl
from tests.support.waiting import SOON_S, wait_until

pytestmark = pytest.mark.usefixtures("shared_cache")

BUDGETS = ROOT / "fixtures" / "budgets"


def check(*words: str | Path) -> Ended:
    return atectl("budget", "check", *words)


def check_in(enter: Callable[[], None], *words: str | Path) -> Ended:
    return atectl("budget", "check", *words, preexec_fn=enter)


def checked(*words: str | Path) -> dict[str, Any]:
    shown = check(*words, "-o", "json")
    assert shown.stderr == ""
    body = json.loads(shown.stdout)
    assert body["schema_version"] == 1
    return body


# check


@pytest.mark.parametrize(
    ("fixture", "status", "verdict", "code"),
    [
        ("fits", 0, "fits", None),
        ("jobs", 0, "fits", None),
        ("overcommitted", 0, "overcommitted", "E322"),
        ("unguarded", 0, "overcommitted", "E322"),
        ("below-baseline", 1, "unsatisfiable", "E312"),
        ("lease-too-large", 1, "unsatisfiable", "E312"),
        ("over-ceiling", 1, "unsatisfiable", "E312"),
        ("spill-onto-memory", 1, "unsatisfiable", "E312"),
        ("spill-folder-missing", 1, "unsatisfiable", "E312"),
        ("spill-room-too-small", 1, "unsatisfiable", "E312"),
        ("capsule-cannot-start", 1, "unsatisfiable", "E312"),
        ("two-quotas", 1, "unsatisfiable", "E312"),
        ("start-never-ends", 0, "skipped", None),
        ("nothing-to-run", 0, "fits", None),
    ],
)
def test_each_verdict_has_its_exit_status(
    fixture: str, status: int, verdict: str, code: str | None
) -> None:
    shown = check(BUDGETS / f"{fixture}.toml", "-o", "json")
    body = json.loads(shown.stdout)
    assert (shown.status, body["verdict"], body["code"]) == (status, verdict, code)
    assert bool(body["findings"]) == (verdict != "fits")


def test_a_limit_below_the_baseline_is_e312_with_both_numbers() -> None:
    path = BUDGETS / "below-baseline.toml"
    body = checked(path)
    [finding] = body["findings"]
    assert finding["code"] == "E312"
    assert f"{body['limit_bytes']} bytes" in finding["message"]
    assert f"{body['baseline_bytes']} bytes" in finding["message"]
    assert "problem[E312]: the limit of 8388608 bytes" in check(path).stdout


def test_json_has_the_names_that_scripts_rely_on() -> None:
    body = checked(BUDGETS / "overcommitted.toml", "--baseline", "100MiB")
    assert list(body) == [
        *("schema_version", "verdict", "code", "limit_bytes", "baseline_bytes", "soft_bytes"),
        *("resume_bytes", "left_bytes", "committed_bytes", "leases", "overcommit_ratio"),
        *("largest_lease_bytes", "ceiling_bytes", "spill_room_bytes", "sources", "principals"),
        "findings",
    ]
    assert body["limit_bytes"] == 1024 * MIB
    assert body["soft_bytes"] == 1024 * MIB * 8 // 10
    assert body["baseline_bytes"] == 100 * MIB
    assert body["left_bytes"] == body["soft_bytes"] - body["baseline_bytes"]
    assert body["committed_bytes"] == 16 * 256 * MIB
    assert body["largest_lease_bytes"] == 256 * MIB
    assert body["principals"] == [
        {
            "principal": "render-farm",
            "leases": 16,
            "committed_bytes": 16 * 256 * MIB,
            "largest_bytes": 256 * MIB,
        }
    ]
    [finding] = body["findings"]
    assert list(finding) == ["code", "severity", "message", "remedy"]
    assert (finding["code"], finding["severity"]) == ("E322", "warning")


def test_strict_makes_a_warning_fail_and_nothing_else() -> None:
    assert check(BUDGETS / "overcommitted.toml", "--strict").status == 1
    assert check(BUDGETS / "fits.toml", "--strict").status == 0


def test_a_warning_near_the_baseline_passes_unless_it_is_strict() -> None:
    words = (BUDGETS / "near-baseline.toml", "--baseline", "100MiB")
    shown = check(*words)
    assert shown.status == 0
    assert "warning[E323]: the host itself takes 100 MiB, over the soft limit" in shown.stdout
    assert check(*words, "--strict").status == 1


def test_options_stand_over_the_host_of_the_file() -> None:
    body = checked(
        *(BUDGETS / "fits.toml", "--limit", "512MiB", "--soft", "0.5", "--resume", "0.25"),
        *("--spill-cap", "1GiB", "--baseline", "10MiB"),
    )
    assert (body["limit_bytes"], body["soft_bytes"]) == (512 * MIB, 256 * MIB)
    assert (body["resume_bytes"], body["spill_room_bytes"]) == (128 * MIB, 1024 * MIB)
    assert body["sources"]["limit_bytes"] == "--limit"
    assert (body["sources"]["soft_bytes"], body["sources"]["resume_bytes"]) == (
        "--soft",
        "--resume",
    )


def test_a_spill_folder_on_the_command_line_is_checked() -> None:
    shown = check(BUDGETS / "fits.toml", "--spill-dir", "/no/such/folder")
    assert shown.status == 1
    assert "problem[E321]: /no/such/folder: No such file or directory" in shown.stdout


def test_more_jobs_at_once_are_committed_together() -> None:
    for jobs, mebibytes in (("1", 256), ("2", 512), ("9", 576)):
        body = checked(BUDGETS / "jobs.toml", "--jobs", jobs, "--baseline", "10MiB")
        assert body["committed_bytes"] == mebibytes * MIB


def test_a_running_host_can_be_the_baseline() -> None:
    body = checked(BUDGETS / "fits.toml", "--pid", str(os.getpid()))
    assert body["baseline_bytes"] > 10 * MIB
    source = f"resident size of process {os.getpid()}; the ledger knows no lease of it"
    assert body["sources"]["baseline_bytes"] == source


def test_what_the_leases_of_a_running_host_hold_is_not_counted_twice(tmp_path: Path) -> None:
    place = tmp_path / "other.db"
    with closing(open_for_writing(str(place))) as store:
        store.flush([lease(**just_now(), current_bytes=8 * MIB)])
    words = (BUDGETS / "fits.toml", "--pid", str(os.getpid()))
    whole, less = checked(*words), checked(*words, "--ledger", place)
    assert abs(whole["baseline_bytes"] - less["baseline_bytes"] - 8 * MIB) < MIB
    assert less["sources"]["baseline_bytes"].endswith(", less the 8 MiB of its 1 lease")


def test_without_a_ledger_an_idle_host_stands_for_a_running_one_and_that_is_told() -> None:
    words = (BUDGETS / "fits.toml", "--pid", str(os.getpid()), "-o", "json")
    shown = atectl("budget", "check", *words, environment={"ATECTL_LEDGER": "none"})
    body = json.loads(shown.stdout)
    assert (shown.status, body["verdict"]) == (0, "skipped")
    assert "no ledger tells how much" in body["findings"][0]["message"]
    assert body["sources"]["baseline_bytes"].startswith("measured: a process with the engine up")


def test_a_ledger_that_was_named_is_to_be_there() -> None:
    words = ("--pid", str(os.getpid()), "--ledger", "/no/such/ledger.db")
    shown = check(BUDGETS / "fits.toml", *words)
    assert (shown.status, shown.stdout) == (125, "")


@pytest.mark.parametrize("words", [("--baseline", "50MiB"), ("--pid", str(os.getpid()))])
def test_whoever_says_the_baseline_the_capsules_are_tried(words: tuple[str, ...]) -> None:
    body = checked(BUDGETS / "capsule-cannot-start.toml", *words)
    assert [finding["code"] for finding in body["findings"]] == ["E301"]


def test_a_capsule_that_is_missing_is_noticed_with_a_stated_baseline(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[[capsule]]\npath = "no-such.wasm"\n')
    shown = check(path, "--baseline", "50MiB")
    assert shown.status == 1
    assert "problem[E201]: " in shown.stdout


def test_a_capsule_whose_start_does_not_end_is_named_and_fails_a_strict_check() -> None:
    shown = check(BUDGETS / "start-never-ends.toml", "--strict", "--baseline", "50MiB")
    assert shown.status == 1
    assert "skipped[E302]: whether start-never-ends.wat can start is not known" in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_check_that_is_ended_leaves_no_process(number: int) -> None:
    words = [ATECTL, "budget", "check", str(BUDGETS / "start-never-ends.toml")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True) as started:
        session = started.pid
        computing_child(started.pid)
        started.send_signal(number)
        started.wait(SOON_S)
    wait_until(lambda: not alive_in_session(session))


def test_a_budget_can_come_from_stdin(tmp_path: Path) -> None:
    text = (BUDGETS / "two-quotas.toml").read_text().replace("../", f"{BUDGETS.parent}/")
    shown = atectl("budget", "check", "-", "-o", "json", stdin=text.encode(), cwd=tmp_path)
    body = json.loads(shown.stdout)
    assert (shown.status, body["sources"]["limit_bytes"]) == (1, "limit in stdin")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "stdin: 'utf-8' codec"), (b"host = [", "stdin: Invalid value")],
)
def test_what_comes_from_stdin_and_is_no_budget_is_refused(content: bytes, message: str) -> None:
    shown = atectl("budget", "check", "-", stdin=content)
    assert (shown.status, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"error[E117]: {message}")


@pytest.mark.parametrize(
    "content",
    [
        f"[host]\nlimit = 0x{'f' * 5000}\n",
        f"[host]\njobs = 0x{'f' * 5000}\n",
        f"[defaults]\ndeadline = 1{'0' * 400}\n",
        f'[[job]]\ncapsule = "a.wasm"\nmax_mem = 0x{"f" * 5000}\n',
    ],
    ids=["limit", "jobs", "deadline", "job"],
)
@pytest.mark.parametrize("command", [("budget", "check"), ("batch",)], ids=" ".join)
def test_a_number_of_any_length_in_a_file_is_an_error_of_the_file(
    tmp_path: Path, content: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "budget.toml"
    path.write_text(content)
    shown = atectl(*command, path)
    assert (shown.status, shown.stdout) == (2, "")
    assert shown.stderr.startswith(("error[E117]", "error[E330]"))


def test_help_says_what_options_take_precedence_over() -> None:
    words = " ".join(check("--help").stdout.split())
    assert "Options take precedence over the host table of the file" in words


def test_a_host_that_is_gone_is_an_error() -> None:
    shown = check(BUDGETS / "fits.toml", "--pid", str(2**22 + 1))
    assert (shown.status, shown.stdout) == (125, "")
    assert shown.stderr.startswith("error[E324]: there is no process")


def test_pid_and_baseline_exclude_each_other() -> None:
    shown = check(BUDGETS / "fits.toml", "--pid", "1", "--baseline", "1MiB")
    assert shown.status == 2
    assert "pass one" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (BUDGETS / "unknown-key.toml",),
            "error[E117]: {}: host: unknown key 'limt'; did you mean",
        ),
        (("no-such.toml",), "error[E117]: {}: No such file or directory"),
        ((BUDGETS / "fits.toml", "--limit", "much"), "error[E102]: 'much' is not a size"),
        ((BUDGETS / "fits.toml", "--baseline", "0"), "error[E102]: '0' is zero"),
    ],
)
def test_what_cannot_be_read_is_one_error(words: tuple[str | Path, ...], message: str) -> None:
    shown = check(*words)
    assert (shown.status, shown.stdout) == (2, "")
    assert shown.stderr.startswith(message.format(words[0]))
    assert "Traceback" not in shown.stderr


def test_a_job_with_an_unknown_key_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[[job]]\ncapsule = "a.wasm"\nmax_men = "1MiB"\n')
    shown = check(path)
    assert shown.status == 2
    assert f"error[E117]: {path}: job 1: unknown key 'max_men'; did you mean max_mem?" in (
        shown.stderr
    )


def test_names_in_a_file_reach_the_output_as_inert_text(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[[capsule]]\npath = "\\u001b[31m[bold]x.wasm"\n')
    shown = check(path)
    assert shown.status == 1
    assert "\x1b" not in shown.stdout
    assert "\\x1b[31m[bold]x.wasm" in shown.stdout


def test_no_capsule_is_run_by_a_check(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text(f'[[capsule]]\npath = "{CAPSULES / "spin.wat"}"\n')
    assert check(path).status == 0


def test_a_check_knows_the_control_group_that_it_is_in(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.touch()

    with memory_group(400 * MIB) as group:

        def enter() -> None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

        body = json.loads(check_in(enter, path, "-o", "json").stdout)
        over = check_in(enter, path, "--limit", "401MiB")
    assert (body["ceiling_bytes"], body["limit_bytes"]) == (400 * MIB, 360 * MIB)
    assert body["sources"]["ceiling_bytes"] == "control group"
    assert over.status == 1
    assert "the limit of 401 MiB is over the 400 MiB that the control group allows" in over.stdout


def test_a_check_knows_where_the_kernel_slows_the_host_down(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.touch()
    words = ("budget", "check", path, "--limit")
    before = slowed_from(400 * MIB)
    over = atectl(*words, "401MiB", "--strict", before=before)
    assert over.status == 1
    assert "warning[E326]: above 400 MiB the kernel slows the host down" in over.stdout
    assert "E326" not in atectl(*words, "400MiB", before=before).stdout


def test_no_line_of_a_check_ends_in_blanks() -> None:
    lines = check(BUDGETS / "overcommitted.toml").stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


# init


def test_init_writes_a_file_that_can_be_met(tmp_path: Path) -> None:
    shown = atectl("budget", "init", cwd=tmp_path)
    assert (shown.status, shown.stdout) == (0, "")
    assert "wrote budget.toml" in shown.stderr
    assert check(tmp_path / "budget.toml").status == 0


def test_init_to_stdout_writes_no_file(tmp_path: Path) -> None:
    shown = atectl("budget", "init", "-", cwd=tmp_path)
    assert tomllib.loads(shown.stdout)["host"]["soft"] == 0.8
    assert list(tmp_path.iterdir()) == []


def test_init_replaces_a_file_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    shown = atectl("budget", "init", path)
    assert shown.status == 125
    assert shown.stderr.startswith(f"error[E325]: {path} is already there")
    assert path.read_text() == "mine"
    assert atectl("budget", "init", path, "--force").status == 0
    assert path.read_text() != "mine"


def test_init_by_force_keeps_whose_the_file_was_and_follows_no_link(tmp_path: Path) -> None:
    path, other = tmp_path / "mine.toml", tmp_path / "link.toml"
    path.write_text("mine")
    path.chmod(0o640)
    other.symlink_to(path)
    assert atectl("budget", "init", other, "--force").status == 125
    assert path.read_text() == "mine"
    assert other.is_symlink()
    if os.geteuid() == 0:
        os.chown(path, 1234, 1235)
    before = path.stat()
    assert atectl("budget", "init", path, "--force").status == 0
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == before[:1] + before[4:6]


def test_a_place_that_is_no_place_is_not_to_be_forced() -> None:
    for words in ((), ("--force",)):
        shown = atectl("budget", "init", "/no/such/folder/budget.toml", *words)
        assert shown.status == 125
        assert "--force" not in shown.stderr


# plan


@pytest.fixture
def seen() -> None:
    """alpha held 100 MiB at most; beta was refused 20 MiB over the 80 that it held."""
    with closing(open_for_writing()) as store:
        for number, (principal, held, refused) in enumerate(
            [("alpha", 100, 0), ("alpha", 60, 0), ("beta", 80, 20)]
        ):
            one = lease(principal, id=f"lease-{number}", **just_now())
            changes = {
                "peak_bytes": held * MIB,
                "high_water_bytes": held * MIB,
                "refused_growths": int(refused > 0),
                "largest_refused_bytes": refused * MIB,
            }
            store.flush([finish(one._replace(**changes))])


def planned(*words: str | Path) -> dict[str, Any]:
    shown = atectl("budget", "plan", *words, "-o", "json")
    assert shown.status == 0
    return json.loads(shown.stdout)


@pytest.mark.usefixtures("seen")
def test_plan_recommends_from_the_ledger() -> None:
    body = planned()
    assert list(body) == [
        *("schema_version", "headroom", "principals", "together_leases", "together_bytes"),
        *("baseline_bytes", "baseline_source", "limit_bytes"),
    ]
    alpha, beta = body["principals"]
    assert (alpha["principal"], alpha["samples"], alpha["max_mem_bytes"]) == ("alpha", 2, 115 * MIB)
    assert (beta["principal"], beta["is_cut_off"], beta["max_mem_bytes"]) == (
        *("beta", True),
        115 * MIB,
    )
    assert (body["together_leases"], body["together_bytes"]) == (3, 240 * MIB)
    assert body["limit_bytes"] * 0.8 >= body["baseline_bytes"] + 276 * MIB


@pytest.mark.usefixtures("seen")
def test_plan_takes_another_headroom() -> None:
    for given in ("100", "100%", " 100 % "):
        assert planned("--headroom", given)["principals"][0]["max_mem_bytes"] == 200 * MIB


@pytest.mark.parametrize("given", ["0.2", "1001", "-5", "", "%", "much", "١٥", "9" * 5000])
def test_a_headroom_is_whole_percent(given: str) -> None:
    shown = atectl("budget", "plan", f"--headroom={given}")
    assert (shown.status, shown.stdout) == (2, "")
    assert "is no whole percent from 0 to 1000" in shown.stderr
    assert "write 15% for 15 percent over the peak" in shown.stderr


@pytest.mark.usefixtures("seen")
def test_plan_may_leave_out_what_was_refused() -> None:
    wanted = {each["principal"]: each["max_mem_bytes"] for each in planned()["principals"]}
    had = planned("--ignore-refused")["principals"]
    assert wanted["beta"] == 115 * MIB
    assert {each["principal"]: each["max_mem_bytes"] for each in had} == {
        "alpha": wanted["alpha"],
        "beta": 92 * MIB,
    }


def test_plan_names_a_refused_growth_that_no_machine_could_grant() -> None:
    with closing(open_for_writing()) as store:
        refused = {"refused_growths": 1, "largest_refused_bytes": 1 << 40}
        record = lease("alpha", **just_now())._replace(peak_bytes=100 * MIB, **refused)
        store.flush([finish(record)])
    outlier = "alpha: left out a refused growth of 1 TiB, more than this machine has\n"
    shown = atectl("budget", "plan")
    assert (shown.status, shown.stderr) == (0, outlier)
    [alpha] = planned()["principals"]
    assert alpha["max_mem_bytes"] == 115 * MIB
    # Who leaves all of them out need not be told of one.
    assert outlier not in atectl("budget", "plan", "--ignore-refused").stderr


@pytest.mark.usefixtures("seen")
def test_a_plan_without_a_budget_in_use_says_that_no_capsule_is_in_its_baseline() -> None:
    body = planned()
    assert body["baseline_source"].endswith(
        "0 capsules instantiated: --diff FILE adds those of a budget file"
    )


@pytest.mark.usefixtures("seen")
def test_the_limit_of_a_plan_has_room_for_the_capsules_of_the_budget_in_use(tmp_path: Path) -> None:
    filled = tmp_path / "filled.wat"
    filled.write_text(
        "(module (memory 257) (start $fill) (func $fill"
        " (memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216))))"
    )
    in_use = tmp_path / "in-use.toml"
    in_use.write_text(f'[[capsule]]\npath = "{filled}"\n')
    without, with_it = planned(), planned("--diff", in_use)
    assert with_it["baseline_bytes"] > without["baseline_bytes"] + 15 * MIB
    assert with_it["limit_bytes"] > without["limit_bytes"] + 15 * MIB
    assert with_it["baseline_source"].endswith("1 capsule instantiated")


@pytest.mark.usefixtures("seen")
def test_a_capsule_in_use_that_cannot_be_loaded_is_told() -> None:
    body = planned("--diff", BUDGETS / "capsule-cannot-start.toml")
    assert body["baseline_source"].endswith("0 capsules instantiated, 1 could not be")


@pytest.mark.parametrize("place", ["/no/such/folder/plan.toml", "/"])
def test_a_plan_is_not_made_for_a_place_where_it_cannot_be_written(place: str) -> None:
    shown = atectl("budget", "plan", "--write", place, "--force")
    assert (shown.status, shown.stdout) == (125, "")
    assert shown.stderr.startswith(f"error[E325]: {place}: ")
    assert "--force" not in shown.stderr


@pytest.mark.usefixtures("seen")
def test_a_file_that_is_there_is_refused_before_a_plan_is_made(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    shown = atectl("budget", "plan", "--write", path)
    assert (shown.status, shown.stdout) == (125, "")
    assert "pass --force" in shown.stderr


@pytest.mark.usefixtures("seen")
def test_plan_writes_a_file_that_check_takes(tmp_path: Path) -> None:
    path = tmp_path / "planned.toml"
    shown = atectl("budget", "plan", "--write", path)
    assert (shown.status, shown.stderr) == (0, f"wrote {path}\n")
    assert "cut off" in shown.stdout
    assert tomllib.loads(path.read_text())["principals"]["alpha"] == {"max_mem": "115MiB"}
    assert check(path).status == 0
    assert atectl("budget", "plan", "--write", path).status == 125
    assert atectl("budget", "plan", "--write", path, "--force").status == 0


@pytest.mark.usefixtures("seen")
def test_plan_is_compared_with_the_budget_in_use() -> None:
    body = planned("--diff", BUDGETS / "fits.toml")
    changes = {change["key"]: change for change in body["changes"]}
    assert changes["principals.alpha.max_mem"] == {
        "key": "principals.alpha.max_mem",
        "in_use_bytes": 64 * MIB,
        "planned_bytes": 115 * MIB,
    }
    assert changes["principals.render-farm.max_mem"]["planned_bytes"] is None
    assert changes["host.limit"]["in_use_bytes"] == 2048 * MIB


@pytest.mark.usefixtures("seen")
def test_a_plan_is_shown_as_tables() -> None:
    shown = atectl("budget", "plan", "--diff", BUDGETS / "fits.toml")
    assert shown.status == 0
    assert "PRINCIPAL" in shown.stdout
    assert "changes to " in shown.stdout
    assert "+51 MiB" in shown.stdout


def test_an_empty_ledger_says_that_there_is_nothing_to_plan_from() -> None:
    shown = atectl("budget", "plan")
    assert (shown.status, shown.stdout) == (0, "")
    assert shown.stderr.startswith("the ledger has no lease yet")


def test_an_empty_ledger_is_no_reason_to_write_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "planned.toml"
    shown = atectl("budget", "plan", "--write", path)
    assert not path.exists()
    assert shown.stderr.startswith("the ledger has no lease yet")


def test_check_takes_the_bounds_on_loading(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.wat"
    bomb.write_text(merge_bomb(400, 400))
    budget = tmp_path / "budget.toml"
    budget.write_text(f'[host]\nlimit = "1GiB"\n[[capsule]]\npath = "{bomb}"\n')
    for options, code in (
        (("--compile-mem", "64MiB"), "E210"),
        (("--compile-deadline", "100ms"), "E211"),
        (("--max-capsule", "1KiB"), "E209"),
    ):
        checked = atectl("budget", "check", budget, *options, "-o", "json")
        assert code in {each["code"] for each in json.loads(checked.stdout)["findings"]}
