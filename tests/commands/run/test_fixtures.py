"""Each fixture does what its head says, with the exit status and report that go with it."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.errors import error_classes
from tests.conftest import CAPSULES
from tests.support.program import atectl

pytestmark = pytest.mark.usefixtures("shared_cache")


class Case(NamedTuple):
    """One case from the head of a capsule: see fixtures/capsules/README.md."""

    capsule: Path
    flags: list[str]
    arguments: list[str]
    stdin: bytes
    stdout: bytes | None
    results: str | None
    expect: str

    def __str__(self) -> str:
        return " ".join([self.capsule.stem, *self.flags, *self.arguments])


def cases(capsule: Path) -> Iterator[Case]:
    head: dict[str, str] = {}
    for line in capsule.read_text().splitlines():
        word, separator, value = line.removeprefix(";; ").partition(": ")
        if not line.startswith(";; ") or not separator:
            continue
        if word in ("flags", "args", "stdin", "stdout", "result"):
            head[word] = value
        elif word == "expect":
            stdin = json.loads(head.get("stdin", '""')).encode("latin-1")
            stdout = json.loads(head["stdout"]).encode("latin-1") if "stdout" in head else None
            yield Case(
                capsule,
                shlex.split(head.get("flags", "")),
                shlex.split(head.get("args", "")),
                stdin,
                stdout,
                head.get("result"),
                value,
            )
            head = {}


CASES = [case for capsule in sorted(CAPSULES.glob("*.wat")) for case in cases(capsule)]


def test_there_are_fixtures_to_run() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fixture_ends_as_its_head_says(case: Case, tmp_path: Path) -> None:
    report_path = tmp_path / "report.json"
    ended = atectl(
        "run", "--report", report_path, *case.flags, case.capsule, *case.arguments, stdin=case.stdin
    )
    report = json.loads(report_path.read_text())
    kind, _, wanted = case.expect.partition(" ")
    assert report["exit_status"] == ended.status
    if kind == "exit":
        assert (report["reason"], ended.status) == ("exited", int(wanted)), ended.stderr
    elif kind == "trap":
        assert (report["reason"], ended.status) == ("trapped", 134), ended.stderr
        assert report["trap"]["name"].startswith(wanted)
    else:
        [error] = [each for each in error_classes() if each.code == wanted]
        assert (report["error"]["code"], ended.status) == (wanted, error.exit_status), ended.stderr
        assert f"error[{wanted}]" in ended.stderr
    if case.stdout is not None:
        assert ended.stdout.encode("utf-8", "surrogateescape") == case.stdout
    if case.results is not None:
        assert ended.stdout == case.results + "\n"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_fixture_passes_its_quota(case: Case, tmp_path: Path) -> None:
    report_path = tmp_path / "report.json"
    atectl("run", "--report", report_path, *case.flags, case.capsule, *case.arguments)
    report = json.loads(report_path.read_text())
    assert report["peak_bytes"] <= report["quota_bytes"]
    assert report["grown_bytes"] == report["peak_bytes"]
