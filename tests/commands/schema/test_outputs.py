"""Every document that the program writes is what its schema says: real ones, of every command."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atectl.commands.schema.documents import DOCUMENTS
from tests.conftest import CAPSULES, ROOT
from tests.support.fleets import fleet
from tests.support.program import ATECTL, Ended, atectl
from tests.support.redis_servers import Server
from tests.support.schemas import faults, require_valid
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("shared_cache")

BUDGETS = ROOT / "fixtures" / "budgets"
TRACES = sorted((ROOT / "fixtures" / "traces").glob("*.jsonl"))
HELLO = CAPSULES / "hello.wat"


def body_of(*words: str | Path, **options: Any) -> Any:
    """What a command prints with `-o json`."""
    ended = atectl(*words, "-o", "json", **options)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def lines_of(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# Reports of runs


def report_of(folder: Path, *words: str | Path, **options: Any) -> tuple[Ended, Any]:
    place = folder / "report.json"
    ended = atectl("run", "--report", place, *words, **options)
    return ended, json.loads(place.read_text())


RUNS: dict[str, tuple[str | Path, ...]] = {
    "exited": (HELLO,),
    "growth refused": ("--max-mem", "10MiB", CAPSULES / "never-stops-growing.wat"),
    "trapped": (CAPSULES / "trap.wat",),
    "deadline": ("--deadline", "200ms", CAPSULES / "sleep.wat"),
    "out-of-fuel": ("--fuel", "10", HELLO),
    "fuel counted": ("--fuel", "100000", "--label", "x", HELLO),
    "quota": ("--max-mem", "16MiB", CAPSULES / "initial-memory.wat"),
    "trap on refusal": (
        "--on-refused-growth", "trap", "--max-mem", "10MiB", CAPSULES / "never-stops-growing.wat",
    ),
    "results": ("--invoke", "add", CAPSULES / "reactor.wat", "2", "40"),
    "no such file": ("nowhere.wasm",),
    "no capsule": (Path(__file__),),
    "warnings": ("--ledger", "/no/such/folder/ledger.db", HELLO),
}  # fmt: skip


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_report_of_a_run(run: tuple[str | Path, ...], tmp_path: Path) -> None:
    _, report = report_of(tmp_path, *run)
    require_valid("run-report", report)


# Batches

JOBS: tuple[dict[str, Any] | str, ...] = (
    {"capsule": str(HELLO), "label": "a"},
    {"capsul": "x"},
    "no JSON",
    {"capsule": "nowhere.wasm", "principal": "p"},
    {"capsule": str(CAPSULES / "trap.wat")},
    {"capsule": str(CAPSULES / "reactor.wat"), "invoke": "add", "args": ["1", "2"]},
    {"capsule": str(CAPSULES / "sleep.wat"), "deadline": "100ms"},
    {"capsule": str(CAPSULES / "initial-memory.wat"), "max_mem": "1MiB"},
)


def test_the_results_of_a_batch(tmp_path: Path) -> None:
    jobs = "\n".join(job if isinstance(job, str) else json.dumps(job) for job in JOBS)
    ended = atectl("batch", "-", stdin=jobs.encode())
    results = lines_of(ended.stdout)
    assert len(results) == len(JOBS)
    for result in results:
        require_valid("batch-result", result)


def test_the_results_of_a_batch_that_captures() -> None:
    job = {"capsule": str(CAPSULES / "complains.wat")}
    ended = atectl("batch", "-", "--capture", "1KiB", stdin=json.dumps(job).encode())
    [result] = lines_of(ended.stdout)
    assert result["stdout"]["written_bytes"] == 14
    require_valid("batch-result", result)


def test_the_jobs_of_a_batch_that_is_not_run() -> None:
    jobs = "\n".join(job if isinstance(job, str) else json.dumps(job) for job in JOBS)
    require_valid("batch-plan", body_of("batch", "-", "--dry-run", stdin=jobs.encode()))


def test_the_results_and_the_trace_of_a_batch_that_spills(tmp_path: Path) -> None:
    job = {"capsule": str(CAPSULES / "bounded.wat"), "args": ["x", "6"]}
    jobs = "\n".join(json.dumps(job | {"label": f"n{n}"}) for n in range(4))
    trace = tmp_path / "trace.jsonl"
    ended = atectl("batch", "-", "-j4", "--limit", "140MiB", "--trace", trace, stdin=jobs.encode())
    results, lines = lines_of(ended.stdout), lines_of(trace.read_text())
    assert [result["reason"] for result in results] == ["exited"] * 4, ended.stderr
    assert "spill" in {each["action"] for result in results for each in result["decisions"]}
    assert {line["event"] for line in lines} >= {"trace", "registered", "sampled", "decided"}
    for result in results:
        require_valid("batch-result", result)
    for line in lines:
        require_valid("trace", line)


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_a_recorded_trace_and_its_simulation(trace: Path) -> None:
    for line in lines_of(trace.read_text()):
        require_valid("trace", line)
    asked = ("--limit", "1GiB", "--limit", "64MiB", "--policy", "largest")
    require_valid("budget-simulate", body_of("budget", "simulate", trace, *asked))


# The ledger and plans


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Path]:
    """A ledger with finished leases of several kinds, and one that runs."""
    place = tmp_path / "ledger.db"
    for run in ("exited", "growth refused", "trapped", "fuel counted"):
        atectl("run", "--ledger", place, "--principal", "p", *RUNS[run])
    running = subprocess.Popen(
        [ATECTL, "run", "--ledger", place, "--principal", "p", CAPSULES / "sleep.wat"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: body_of("ledger", "ps", "--ledger", place)["leases"])
        yield place
    finally:
        running.kill()
        running.wait()


def test_the_listings_of_a_ledger(ledger: Path) -> None:
    accounts = body_of("ledger", "ls", "--ledger", ledger)
    running = body_of("ledger", "ps", "--ledger", ledger)
    history = body_of("ledger", "history", "--ledger", ledger)
    details = body_of("ledger", "show", "p", "--ledger", ledger)
    assert (len(accounts["accounts"]), len(running["leases"])) == (1, 1)
    assert (len(history["leases"]), len(details["running"])) == (4, 1)
    require_valid("ledger-ls", accounts)
    require_valid("ledger-ps", running)
    require_valid("ledger-history", history)
    require_valid("ledger-show", details)
    usage = body_of("ledger", "usage", "--ledger", ledger)
    assert len(usage["usage"]) >= 1
    require_valid("ledger-usage", usage)
    hosts = body_of("ledger", "ls", "--by", "host", "--ledger", ledger)
    assert len(hosts["groups"]) == 1
    require_valid("ledger-ls-by", hosts)
    export = ("export", "--format", "json", "--per-principal", "1")
    exported = json.loads(atectl("ledger", *export, "--ledger", ledger).stdout)
    require_valid("ledger-export", exported)


def test_plans(ledger: Path) -> None:
    plan = body_of("budget", "plan", "--ledger", ledger)
    assert plan["principals"]
    require_valid("budget-plan", plan)
    compared = body_of("budget", "plan", "--ledger", ledger, "--diff", BUDGETS / "fits.toml")
    assert compared["changes"]
    require_valid("budget-plan", compared)


# Budgets


@pytest.mark.parametrize(
    "budget",
    [
        "fits", "overcommitted", "below-baseline", "nothing-to-run", "jobs", "lease-too-large",
        "spill-onto-memory", "spill-room-too-small", "unguarded",
    ],
)  # fmt: skip
def test_the_check_of_a_budget(budget: str) -> None:
    checked = body_of("budget", "check", BUDGETS / f"{budget}.toml", "--baseline", "50MiB")
    require_valid("budget-check", checked)


def test_the_check_of_a_budget_whose_baseline_is_measured() -> None:
    require_valid("budget-check", body_of("budget", "check", BUDGETS / "fits.toml"))


# Locks


@pytest.fixture(scope="module")
def locks() -> Iterator[dict[str, str]]:
    """The environment of a server that has locks of every kind, one of them held by atectl."""
    with Server() as server:
        environment = {"ATECTL_REDIS_URL": server.url}
        assert atectl("locks", "demo", environment=environment).status == 0
        yield environment


def test_the_listing_of_locks(locks: dict[str, str]) -> None:
    hold = ("locks", "hold", "staging/web", "--principal", "p", "--pass-redis", "--")
    ended = atectl(*hold, ATECTL, "locks", "ls", "-o", "json", environment=locks)
    listing = json.loads(ended.stdout)
    verdicts = {lock["verdict"] for lock in listing["locks"]}
    assert verdicts >= {"held", "foreign", "stranded"}
    assert any(lock["holder"] for lock in listing["locks"])
    require_valid("locks-ls", listing)


def test_one_lock_in_full(locks: dict[str, str]) -> None:
    hold = ("locks", "hold", "staging/other", "--pass-redis", "--")
    show = (ATECTL, "locks", "show", "staging/other", "-o", "json")
    require_valid("locks-show", json.loads(atectl(*hold, *show, environment=locks).stdout))
    for actor in ("demo/counter", "demo/crawler", "demo/mailer", "prod/trainer"):
        require_valid("locks-show", body_of("locks", "show", actor, environment=locks))


def test_who_released_locks(locks: dict[str, str]) -> None:
    for actor in ("demo/scratch", "demo/batch"):
        [seen] = body_of("locks", "show", actor, environment=locks)["locks"]
        release = ("locks", "release", actor, "--yes", "--token", seen["token"])
        atectl(*release, "--probe", "100ms", environment=locks)
    audit = body_of("locks", "audit", environment=locks)
    assert {each["outcome"] for each in audit["attempts"]} == {"released", "refused"}
    require_valid("locks-audit", audit)


def test_the_report_of_a_run_with_a_lock(locks: dict[str, str], tmp_path: Path) -> None:
    _, report = report_of(tmp_path, "--actor", "a/b", HELLO, environment=locks)
    assert report["lock"]
    require_valid("run-report", report)
    busy, report = report_of(tmp_path, "--actor", "demo/scratch", HELLO, environment=locks)
    assert (busy.status, report["reason"]) == (75, "refused")
    require_valid("run-report", report)


def test_the_rules_for_users_of_locks() -> None:
    require_valid("locks-acl", body_of("locks", "acl"))


# The house


def test_the_cache() -> None:
    atectl("run", HELLO)
    kept = body_of("cache", "ls")
    assert kept["artifacts"]
    require_valid("cache-ls", kept)


def test_the_settings() -> None:
    require_valid("config-show", body_of("config", "show"))


def test_the_doctor() -> None:
    require_valid("doctor", body_of("doctor"))


def test_the_pages_of_errors() -> None:
    require_valid("explain", body_of("explain"))
    require_valid("explain", body_of("explain", "E301"))


@pytest.mark.parametrize("capsule", ["hello", "reactor", "component", "component-functions"])
def test_an_inspection(capsule: str) -> None:
    require_valid("inspect", body_of("inspect", CAPSULES / f"{capsule}.wat"))


def test_what_is_bounded() -> None:
    require_valid("bounds", body_of("explain", "bounds"))


def test_what_loading_came_to() -> None:
    words = ("-r", str(CAPSULES), "--fits", "1MiB")
    ended = atectl("load", *words, "-o", "json")
    assert ended.status == 1  # one of them lacks an import
    require_valid("load", json.loads(ended.stdout))


def test_the_list_of_schemas() -> None:
    require_valid("schema", body_of("schema"))


# The means themselves


@pytest.mark.xdist_group("fleet")
def test_the_hosts_of_a_fleet() -> None:
    with fleet() as found:
        found.join("east")
        hosts = body_of("host", "ls", "--on", found.address)
    assert [host["host"] for host in hosts["hosts"]] == ["east"]
    require_valid("host-ls", hosts)


def test_an_error_told_as_json() -> None:
    told = atectl("ledger", "show", "nobody", "-o", "json").stderr
    require_valid("error", json.loads(told))


def test_every_document_is_held_against_its_schema_here_or_among_the_inputs() -> None:
    own = Path(__file__).read_text() + (Path(__file__).parent / "test_inputs.py").read_text()
    assert [each.name for each in DOCUMENTS if f'"{each.name}"' not in own] == []


def test_what_is_not_as_the_schema_says_is_seen(tmp_path: Path) -> None:
    _, report = report_of(tmp_path, HELLO)
    assert faults("run-report", report) == []
    for wrong in (
        report | {"quota_bytes": "64MiB"},
        report | {"reason": "bored"},
        report | {"started_at": "yesterday"},
        report | {"odd": 1},
        {key: value for key, value in report.items() if key != "peak_bytes"},
    ):
        assert faults("run-report", wrong) != []
