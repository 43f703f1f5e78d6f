"""`atectl ledger` as its users and their scripts meet it, on a real ledger."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.records import LeaseRecord
from tests.conftest import CAPSULES
from tests.support.lease_records import finish, own_process
from tests.support.ledger_records import GONE, MIB, just_now, lease
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen

pytestmark = pytest.mark.usefixtures("shared_cache")

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def write(*leases: LeaseRecord, place: Path | None = None) -> None:
    with closing(open_for_writing(place and str(place))) as store:
        store.flush(leases)


def fresh(principal: str, number: int, **changes: Any) -> LeaseRecord:
    return lease(principal, id=f"lease-{number}", **{**just_now(), **changes})


def ended(principal: str, number: int, **changes: Any) -> LeaseRecord:
    return finish(fresh(principal, number), **changes)


@pytest.fixture
def filled() -> None:
    """alpha runs and ran, beta was killed, gamma ran and used the most."""
    write(
        fresh("alpha", 1, label="nightly", current_bytes=5 * MIB, peak_bytes=6 * MIB),
        ended("alpha", 2, reason="deadline", exit_status=124),
        fresh("beta", 3, process=GONE, peak_bytes=3 * MIB),
        ended("gamma", 4, peak_bytes=40 * MIB, cpu_s=0.1),
    )


def listed(*words: str) -> dict[str, Any]:
    shown = atectl("ledger", *words, "-o", "json")
    assert (shown.status, shown.stderr) == (0, "")
    body = json.loads(shown.stdout)
    assert body["schema_version"] == 1
    return body


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["principal"] for row in rows]


@pytest.mark.usefixtures("filled")
def test_ls_lists_accounts_under_the_names_that_scripts_rely_on() -> None:
    body = listed("ls")
    assert list(body) == ["schema_version", "accounts"]
    gamma, alpha, beta = body["accounts"]
    assert (gamma["principal"], alpha["principal"], beta["principal"]) == ("gamma", "alpha", "beta")
    assert set(alpha) >= {
        *("principal", "peak_bytes", "running_leases", "current_bytes", "refused_growths"),
        *("leases", "cpu_s", "byte_seconds", "fuel", "last_capsule", "updated_at"),
        *("high_water_bytes", "quota_bytes", "traps", "since"),
    }
    assert (alpha["running_leases"], alpha["current_bytes"], alpha["leases"]) == (1, 5 * MIB, 2)
    assert RFC3339.fullmatch(alpha["updated_at"])
    assert RFC3339.fullmatch(alpha["since"])


def test_ls_holds_memory_against_the_quotas_of_all_that_runs() -> None:
    each = {"current_bytes": 12 * MIB, "quota_bytes": 16 * MIB}
    lost = fresh("alpha", 3, process=GONE, **each)
    write(fresh("alpha", 1, **each), fresh("alpha", 2, **each), lost)
    (alpha,) = listed("ls")["accounts"]
    assert (alpha["current_bytes"], alpha["quota_bytes"]) == (24 * MIB, 32 * MIB)
    assert " 75% " in atectl("ledger", "ls").stdout


@pytest.mark.usefixtures("filled")
def test_a_lost_lease_counts_neither_as_running_nor_as_holding_memory() -> None:
    beta = listed("ls")["accounts"][2]
    assert (beta["running_leases"], beta["current_bytes"], beta["peak_bytes"]) == (0, 0, 3 * MIB)


@pytest.mark.usefixtures("filled")
def test_ls_sorts_and_limits() -> None:
    assert names(listed("ls", "--sort", "principal")["accounts"]) == ["alpha", "beta", "gamma"]
    assert names(listed("ls", "--sort", "memory", "--rows", "1")["accounts"]) == ["alpha"]


@pytest.mark.usefixtures("filled")
def test_ls_draws_a_table_without_escapes_into_a_pipe() -> None:
    shown = atectl("ledger", "ls")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == [
        *("PRINCIPAL", "gamma", "alpha", "beta")
    ]
    assert "\x1b" not in shown.stdout


@pytest.mark.usefixtures("filled")
def test_ps_lists_unfinished_leases_under_the_names_that_scripts_rely_on() -> None:
    body = listed("ps")
    assert list(body) == ["schema_version", "leases"]
    alpha, beta = body["leases"]
    assert set(alpha) >= {
        *("id", "principal", "capsule", "host", "pid", "state", "current_bytes", "peak_bytes"),
        *("quota_bytes", "started_at", "label", "refused_growths", "cpu_s", "updated_at"),
    }
    assert (alpha["id"], alpha["state"], alpha["label"]) == ("lease-1", "running", "nightly")
    assert (beta["id"], beta["state"]) == ("lease-3", "lost")
    assert alpha["finished_at"] is None
    assert RFC3339.fullmatch(alpha["started_at"])


@pytest.mark.usefixtures("filled")
def test_ps_sorts_and_limits() -> None:
    assert names(listed("ps", "--sort", "memory")["leases"]) == ["alpha", "beta"]
    assert names(listed("ps", "--sort", "peak", "--rows", "1")["leases"]) == ["alpha"]


@pytest.mark.usefixtures("filled")
def test_ps_draws_a_table() -> None:
    shown = atectl("ledger", "ps")
    assert "nightly" in shown.stdout
    assert "lost" in shown.stdout


@pytest.mark.usefixtures("filled")
def test_show_has_one_account_and_its_leases() -> None:
    body = listed("show", "alpha")
    assert list(body) == ["schema_version", "account", "running", "history"]
    assert body["account"]["principal"] == "alpha"
    assert [row["id"] for row in body["running"]] == ["lease-1"]
    assert [(row["id"], row["reason"]) for row in body["history"]] == [("lease-2", "deadline")]


@pytest.mark.usefixtures("filled")
def test_show_draws_the_account() -> None:
    shown = atectl("ledger", "show", "alpha")
    assert "running leases  1" in shown.stdout
    assert "deadline" in shown.stdout


@pytest.mark.usefixtures("filled")
def test_show_lists_a_lost_lease_once() -> None:
    body = listed("show", "beta")
    assert [row["state"] for row in body["running"] + body["history"]] == ["lost"]


@pytest.mark.usefixtures("filled")
def test_show_of_an_unknown_principal_names_the_nearest() -> None:
    shown = atectl("ledger", "show", "alhpa")
    assert (shown.status, shown.stdout) == (1, "")
    assert shown.stderr.startswith(
        "error[E405]: there is no account of 'alhpa'; did you mean alpha?\n"
    )


@pytest.mark.usefixtures("filled")
def test_history_lists_finished_and_lost_leases() -> None:
    rows = listed("history")["leases"]
    assert {(row["id"], row["reason"]) for row in rows} == {
        *(("lease-2", "deadline"), ("lease-3", "lost"), ("lease-4", "exited"))
    }


@pytest.mark.usefixtures("filled")
def test_history_of_one_principal_and_of_the_newest() -> None:
    assert names(listed("history", "--principal", "gamma")["leases"]) == ["gamma"]
    assert len(listed("history", "--rows", "2")["leases"]) == 2


@pytest.mark.parametrize(
    ("words", "field", "note"),
    [
        (["ls"], "accounts", "no accounts yet: `atectl run"),
        (["ps"], "leases", "no running leases"),
        (["history"], "leases", "no finished leases yet"),
        (["history", "--principal", "x"], "leases", "no finished leases of x yet"),
    ],
)
def test_an_empty_ledger_is_no_error(words: list[str], field: str, note: str) -> None:
    shown = atectl("ledger", *words)
    assert (shown.status, shown.stdout) == (0, "")
    assert note in shown.stderr
    assert listed(*words)[field] == []


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "words", [["report", "--svg"], ["report", "--html"], ["export", "--textfile"]]
)
def test_where_a_file_was_written_is_told_inertly(tmp_path: Path, words: list[str]) -> None:
    place = tmp_path / "x\x1b[2Jy"
    if words[0] == "export":
        place.mkdir()
    shown = atectl("ledger", *words, place)
    assert shown.status == 0
    assert "wrote " in shown.stderr
    assert "x\\x1b[2Jy" in shown.stderr
    assert "\x1b" not in shown.stderr


def test_what_is_listed_repeats_no_more_of_a_name_than_a_name_may_have() -> None:
    shown = atectl("ledger", "history", "--principal", "9" * 5000)
    assert shown.stderr == f"no finished leases of {'9' * 64} yet\n"


def accounts() -> set[str]:
    with closing(open_for_reading()) as store:
        return {account.principal for account in store.accounts()}


@pytest.mark.usefixtures("filled")
def test_reset_with_yes_forgets_one_account() -> None:
    shown = atectl("ledger", "reset", "gamma", "--yes")
    assert (shown.status, shown.stdout) == (0, "forgot 1 account\n")
    assert accounts() == {"alpha", "beta"}


@pytest.mark.usefixtures("filled")
def test_reset_with_yes_forgets_all() -> None:
    assert atectl("ledger", "reset", "--all", "--yes").stdout == "forgot 3 accounts\n"
    assert accounts() == set()


@pytest.mark.usefixtures("filled")
def test_reset_without_a_terminal_forgets_nothing_and_says_what_it_would() -> None:
    shown = atectl("ledger", "reset", "--all")
    assert shown.status == 2
    assert shown.stderr.startswith(
        "error[E111]: this would forget 3 accounts, 3 finished leases and the usage by period "
        "(1 running lease will be kept)\n"
    )
    assert accounts() == {"alpha", "beta", "gamma"}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("answer", "status", "left"),
    [("n", 1, {"alpha", "beta", "gamma"}), ("y", 0, {"alpha", "beta"})],
)
def test_reset_asks_on_a_terminal(answer: str, status: int, left: set[str]) -> None:
    with PtyScreen([ATECTL, "ledger", "reset", "gamma"], dict(os.environ)) as screen:
        screen.until_shown("Forget the account of gamma, 1 finished lease and the usage by period?")
        screen.send(f"{answer}\r")
        assert screen.end() == status
    assert accounts() == left


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_question_that_is_left_ends_its_line(key: str) -> None:
    command = f"{ATECTL} ledger reset gamma; echo ended with $?"
    with PtyScreen(["bash", "--norc", "-c", f"trap : INT; {command}"], dict(os.environ)) as screen:
        screen.until_shown("usage by period?")
        screen.send(key)
        screen.end()
        assert "ended with 130" in screen.lines
    assert accounts() == {"alpha", "beta", "gamma"}


@pytest.mark.usefixtures("filled")
def test_reset_of_an_unknown_principal_is_refused_even_with_yes() -> None:
    shown = atectl("ledger", "reset", "nobody", "--yes")
    assert (shown.status, shown.stderr[:12]) == (1, "error[E405]:")


@pytest.mark.parametrize("words", [[], ["alpha", "--all"]])
def test_reset_takes_a_principal_or_all(words: list[str]) -> None:
    shown = atectl("ledger", "reset", *words, "--yes")
    assert shown.status == 2
    assert "reset takes a principal or --all" in shown.stderr


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["ls", "--sort", "weight"], 2, "E101"),
        (["ls", "--rows", "0"], 2, "E101"),
        (["ls", "-o", "yaml"], 2, "E101"),
        (["show"], 2, "E101"),
        (["top", "--interval", "soon"], 2, "E103"),
        (["top", "--interval", "99ms"], 2, "E103"),
        (["top", "-n", "0"], 2, "E101"),
        (["ls", "--ledger", "/nonexistent/ledger.db"], 125, "E401"),
        (["ps", "--ledger", "/nonexistent/ledger.db"], 125, "E401"),
        (["top", "--ledger", "/nonexistent/ledger.db"], 125, "E401"),
        (["reset", "--all", "--yes", "--ledger", "/nonexistent/ledger.db"], 125, "E401"),
        (["ls", "--ledger", "none"], 125, "E401"),
        (["ls", "--ledger", "/etc/passwd"], 125, "E402"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(words: list[str], status: int, code: str) -> None:
    shown = atectl("ledger", *words)
    assert (shown.status, shown.stdout) == (status, "")
    assert shown.stderr.startswith(f"error[{code}]: ")
    assert "Traceback" not in shown.stderr
    assert "\n  try: " in shown.stderr


def test_what_a_capsule_and_a_label_are_called_reaches_the_terminal_inert() -> None:
    write(
        fresh("alpha", 1, capsule="\x1b]0;title\x07.wasm", label="\x1b[2J[red]"),
        ended("alpha", 2)._replace(capsule="\x1b[31m.wasm", label="\u202eevil"),
    )
    for words in (["ls"], ["ps"], ["history"], ["show", "alpha"], ["top", "--once"]):
        shown = atectl("ledger", *words).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown), words
    assert r"\x1b[2J[red]" in atectl("ledger", "ps").stdout


@pytest.mark.usefixtures("filled")
def test_a_broken_pipe_is_no_error_message() -> None:
    shown = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shlex.quote(ATECTL)} ledger ls -o json | true"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.stderr == ""


@pytest.mark.usefixtures("filled")
def test_output_that_cannot_carry_the_characters_is_no_error() -> None:
    shown = atectl("ledger", "ps", environment={"PYTHONIOENCODING": "ascii"})
    assert shown.status == 0
    assert "#" in shown.stdout


@pytest.mark.usefixtures("filled")
def test_top_into_a_pipe_is_one_plain_snapshot() -> None:
    shown = atectl("ledger", "top")
    assert shown.status == 0
    assert "\x1b" not in shown.stdout
    first, header, *rows = shown.stdout.splitlines()
    assert first.startswith("leases 1 running   resident ")
    assert header.split()[0] == "PRINCIPAL"
    assert [row.split()[0] for row in rows] == ["alpha", "gamma", "beta"]


@pytest.mark.usefixtures("filled")
def test_top_into_a_pipe_sorts_limits_and_filters() -> None:
    words = ("ledger", "top", "--once")
    rows = atectl(*words, "--sort", "peak", "--rows", "1").stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["gamma"]
    rows = atectl(*words, "--principal", "beta").stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["beta"]


@pytest.mark.usefixtures("filled")
def test_top_into_a_pipe_prints_as_many_snapshots_as_asked() -> None:
    began = time.monotonic()
    shown = atectl("ledger", "top", "-n", "3", "--interval", "100ms")
    assert shown.stdout.count("PRINCIPAL") == 3
    assert time.monotonic() - began >= 0.2


def test_top_of_an_empty_ledger_says_so() -> None:
    shown = atectl("ledger", "top", "--once")
    assert shown.status == 0
    assert "no accounts yet" in shown.stdout


@pytest.mark.usefixtures("filled")
def test_a_listing_as_json_imports_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys; from atectl.commands.main import dispatch; "
        "assert dispatch(['ledger', 'ls', '-o', 'json']) == 0; "
        "found = {'rich', 'psutil', 'wasmtime', 'redis'} & set(sys.modules); "
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)


def yesterday(principal: str, number: int, **changes: Any) -> LeaseRecord:
    """A lease that ended an hour before the end of yesterday."""
    moment = time.time() // 86_400 * 86_400 - 3600
    return finish(fresh(principal, number, started_at=moment - 60, updated_at=moment, **changes))


def test_usage_tells_what_was_used_by_day_and_month() -> None:
    write(yesterday("alpha", 1, cpu_s=2.0), yesterday("alpha", 2), yesterday("beta", 3))
    body = listed("usage", "--period", "day")
    assert [(row["name"], row["leases"], row["by"]) for row in body["usage"]] == [
        ("alpha", 2, "principal"), ("beta", 1, "principal"),
    ]  # fmt: skip
    [day] = {row["period"] for row in body["usage"]}
    assert listed("usage", "--period", day)["usage"] == body["usage"]
    assert listed("usage", "--period", day[:7], "--principal", "beta")["usage"][0]["leases"] == 1
    table = atectl("ledger", "usage", "--by", "host").stdout
    assert table.splitlines()[0].split()[:3] == ["PERIOD", "HOST", "LEASES"]


def test_usage_of_nothing_says_so() -> None:
    shown = atectl("ledger", "usage", "--period", "1999-12")
    assert (shown.status, shown.stdout) == (0, "")
    assert "nothing was used" in shown.stderr


def test_usage_refuses_what_is_no_period() -> None:
    shown = atectl("ledger", "usage", "--period", "october")
    assert (shown.status, shown.stdout) == (2, "")
    assert "is no period" in shown.stderr
    assert "2026-11" in shown.stderr


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("command", "name"), [("ls", "accounts"), ("history", "leases")])
def test_csv_has_the_rows_and_names_of_json(command: str, name: str) -> None:
    rows = listed(command)[name]
    lines = list(csv.reader(atectl("ledger", command, "-o", "csv").stdout.splitlines()))
    assert lines[0] == list(rows[0])
    assert [line[1] for line in lines[1:]] == [str(list(row.values())[1]) for row in rows]


def test_csv_of_nothing_is_a_header() -> None:
    shown = atectl("ledger", "usage", "-o", "csv")
    assert shown.stdout.startswith("period,by,name,")
    assert shown.stdout.count("\n") == 1


def test_what_runs_can_be_listed_by_host_and_by_capsule() -> None:
    write(
        fresh("alpha", 1, current_bytes=5 * MIB, host="east", **own_process()),
        fresh("beta", 2, current_bytes=3 * MIB, host="east", capsule="x.wasm", **own_process()),
        fresh("beta", 3, current_bytes=1 * MIB, host="west", **own_process()),
        fresh("beta", 4, process=GONE),
    )
    by_host = listed("ls", "--by", "host")["groups"]
    assert [(row["name"], row["running_leases"], row["principals"]) for row in by_host] == [
        ("east", 2, 2), ("west", 1, 1),
    ]  # fmt: skip
    by_capsule = listed("ls", "--by", "capsule")["groups"]
    assert {row["name"]: row["current_bytes"] for row in by_capsule} == {
        "hello.wasm": 6 * MIB, "x.wasm": 3 * MIB,
    }  # fmt: skip
    assert atectl("ledger", "ls", "--by", "host").stdout.startswith("HOST ")


def test_each_listing_can_be_of_one_host() -> None:
    write(
        fresh("alpha", 1, host="east", **own_process()),
        fresh("alpha", 2, host="west", current_bytes=MIB, **own_process()),
        fresh("beta", 3, host="east", **own_process()),
        ended("gamma", 4, host="west"),
        ended("gamma", 5, host="east"),
    )
    west = ("--host", "west")
    [alpha] = listed("ls", *west)["accounts"]
    assert (alpha["principal"], alpha["running_leases"], alpha["current_bytes"]) == (
        "alpha",
        1,
        MIB,
    )
    assert [lease["id"] for lease in listed("ps", *west)["leases"]] == ["lease-2"]
    assert [lease["id"] for lease in listed("history", *west)["leases"]] == ["lease-4"]
    shown = atectl("ledger", "top", "--once", *west).stdout
    assert "alpha" in shown
    assert "beta" not in shown


def test_a_label_that_is_not_utf8_is_found_by_what_it_was_given_as(tmp_path: Path) -> None:
    environment = {"ATECTL_LEDGER": str(tmp_path / "bytes.db")}
    label = ("--label", "a\udcff")
    assert atectl("run", *label, CAPSULES / "hello.wat", environment=environment).status == 0
    shown = atectl("ledger", "history", *label, "-o", "json", environment=environment)
    assert len(json.loads(shown.stdout)["leases"]) == 1


@pytest.mark.parametrize("words", [["history"], ["usage"], ["ps"], ["ls"]], ids=" ".join)
def test_of_a_principal_that_is_not_utf8_nothing_is_listed(
    words: list[str], tmp_path: Path
) -> None:
    environment = {"ATECTL_LEDGER": str(tmp_path / "bytes.db")}
    assert atectl("run", CAPSULES / "hello.wat", environment=environment).status == 0
    shown = atectl("ledger", *words, "--principal", "a\udcff", environment=environment)
    assert (shown.status, shown.stdout) == (0, "")
    assert "error[" not in shown.stderr


def test_listings_are_narrowed_to_a_principal_a_label_and_a_time(tmp_path: Path) -> None:
    environment = {"ATECTL_LEDGER": str(tmp_path / "narrow.db")}
    for principal, label in (("team/a", "x"), ("b@example.com", "y")):
        words = ("--principal", principal, "--label", label, CAPSULES / "hello.wat")
        assert atectl("run", *words, environment=environment).status == 0

    def listed(*words: str) -> list[str]:
        shown = atectl("ledger", *words, "-o", "json", environment=environment)
        found = json.loads(shown.stdout)
        return [each["principal"] for each in found.get("accounts", found.get("leases"))]

    assert listed("ls", "--principal", "team/a") == ["team/a"]
    assert listed("ls", "--since", "1h") != []
    assert listed("history", "--label", "y") == ["b@example.com"]
    assert listed("history", "--since", "1h", "--principal", "team/a") == ["team/a"]
    assert listed("ps", "--label", "x") == []
    shown = atectl("ledger", "history", "--rows", "1", environment=environment)
    assert "these are the newest 1; --rows N shows more" in shown.stderr
