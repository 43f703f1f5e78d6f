"""`atectl budget simulate`, as its users run it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT
from tests.program import atectl

TRACES = ROOT / "fixtures" / "traces"
SPILLED = TRACES / "spilled.jsonl"
ABORTED = TRACES / "aborted.jsonl"


def simulated(*words: str | Path) -> dict:
    ended = atectl("budget", "simulate", *words, "-o", "json")
    assert ended.stderr == ""
    assert ended.status == 0
    return json.loads(ended.stdout)


def test_the_recorded_run_stands_beside_the_same_rules_replayed() -> None:
    found = simulated(SPILLED)
    assert [run["recorded"] for run in found["runs"]] == [True, False]
    assert {run["policy"] for run in found["runs"]} == {"park-first:largest"}
    assert found["moments_checked"] > 0
    assert found["moments_decided_otherwise"] == []


def test_policies_and_limits_multiply() -> None:
    words = ("--policy", "largest", "--policy", "priority", "--limit", "512M", "--limit", "1G")
    runs = simulated(SPILLED, *words)["runs"][1:]
    assert [(run["limit_bytes"] >> 20, run["policy"]) for run in runs] == [
        (512, "largest"),
        (512, "priority"),
        (1024, "largest"),
        (1024, "priority"),
    ]


def test_another_back_pressure_brings_its_own_policy() -> None:
    runs = simulated(ABORTED, "--backpressure", "both", "--backpressure", "spill")["runs"]
    assert [run["policy"] for run in runs] == [
        "park-first:priority",
        "park-first:largest",
        "priority",
    ]
    assert [len(run["aborted"]) for run in runs] == [3, 0, 0]


def test_every_decision_is_in_the_json() -> None:
    recorded = simulated(SPILLED)["runs"][0]
    assert len([x for x in recorded["decisions"] if x["action"] == "spill"]) == recorded["spills"]
    assert set(recorded["decisions"][0]) == {
        "at_s",
        "action",
        "lease",
        "bytes",
        "freed_bytes",
        "pressure_bytes",
        "reason",
    }


def test_the_table_has_a_line_a_run_and_a_chart_each() -> None:
    ended = atectl("budget", "simulate", SPILLED, "--policy", "largest")
    lines = ended.stdout.splitlines()
    assert ended.status == 0
    assert lines[0].startswith("run ")
    assert lines[1].startswith("recorded")
    assert lines[2].startswith("replayed")
    assert "decided again as recorded" in lines[3]
    assert ended.stdout.count("hard 512 MiB") == 2


def test_a_limit_below_the_baseline_is_e312_and_the_others_are_replayed() -> None:
    ended = atectl("budget", "simulate", SPILLED, "--limit", "50M", "--limit", "600M", "-o", "json")
    found = json.loads(ended.stdout)
    assert ended.status == 1
    assert "warning[E312]: the limit of 52428800 bytes" in ended.stderr
    assert "62914560 bytes" in ended.stderr
    assert [refused["code"] for refused in found["refused"]] == ["E312"]
    assert [run["limit_bytes"] >> 20 for run in found["runs"]] == [512, 600]


def test_a_trace_that_is_decided_otherwise_now_fails(tmp_path: Path) -> None:
    text = SPILLED.read_text()
    altered = tmp_path / "altered.jsonl"
    altered.write_text(text.replace('"backpressure":"both"', '"backpressure":"park"'))
    ended = atectl("budget", "simulate", altered)
    assert ended.status == 1
    assert "are decided otherwise than recorded" in ended.stdout


def test_the_timelines_are_drawn_into_a_file(tmp_path: Path) -> None:
    picture = tmp_path / "runs.svg"
    ended = atectl("budget", "simulate", SPILLED, "--policy", "largest", "--svg", picture)
    assert ended.status == 0
    root = ElementTree.parse(picture).getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}g"))) == 2


def test_a_picture_without_a_place_is_refused(tmp_path: Path) -> None:
    ended = atectl("budget", "simulate", SPILLED, "--svg", tmp_path / "no" / "runs.svg")
    assert ended.status == 125
    assert "error[E602]" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("/no/such/trace",), "error[E340]: /no/such/trace: No such file"),
        ((str(ROOT / "README.md"),), "error[E340]"),
        ((str(SPILLED), "--limit", "much"), "error[E102]"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(words: tuple[str, ...], told: str) -> None:
    ended = atectl("budget", "simulate", *words)
    assert ended.status == 2
    assert told in ended.stderr
    assert ended.stdout == ""
