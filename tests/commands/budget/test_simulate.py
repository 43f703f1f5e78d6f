"""`atectl budget simulate`, as its users run it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT
from tests.support.program import atectl

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
    assert lines[-5].startswith("RUN ")
    assert lines[-4].startswith("recorded")
    assert lines[-3].startswith("replayed")
    assert "decided again as recorded" in lines[-2]
    assert lines[-1].startswith("replays are models: under the recorded rules one takes")
    assert ended.stdout.count("hard 512 MiB") == 2


def test_a_chart_in_a_pipe_is_as_wide_as_columns_says_or_a_hundred() -> None:
    words = ("budget", "simulate", TRACES / "calm.jsonl")
    for said, width in (("60", 60), (None, 100), ("0", 100), ("wide", 100), ("9" * 20, 100)):
        environment = {} if said is None else {"COLUMNS": said}
        lines = atectl(*words, environment=environment).stdout.splitlines()
        hard = next(line for line in lines if line.strip().startswith("hard"))
        assert len(hard) == width - 6, said


def test_a_table_in_a_pipe_has_all_its_columns() -> None:
    ended = atectl("budget", "simulate", SPILLED, environment={"COLUMNS": "60"})
    assert "PEAK" in ended.stdout


def test_who_was_parked_and_spilled_is_told_by_lease() -> None:
    ended = atectl("budget", "simulate", TRACES / "headline.jsonl")
    lines = ended.stdout.splitlines()
    header = next(place for place, line in enumerate(lines) if line.startswith("LEASE"))
    assert lines[header].split()[:4] == ["LEASE", "LABEL", "PRINCIPAL", "CAPSULE"]
    assert lines[header + 1].split()[:4] == ["1", "one", "default", "bounded.wat"]
    (first, *_) = simulated(TRACES / "headline.jsonl")["runs"][0]["leases"]
    assert (first["lease"], first["label"], first["capsule"]) == (1, "one", "bounded.wat")
    assert first["parks"] > 0
    assert 0 < first["held_s"] < first["finished_s"]


def test_the_headline_replays_through_every_policy_and_decides_the_same() -> None:
    names = ("none", "largest", "priority", "park-first")
    found = simulated(TRACES / "headline.jsonl", *(x for name in names for x in ("--policy", name)))
    assert [run["policy"].split(":")[0] for run in found["runs"][1:]] == list(names)
    assert found["moments_checked"] > 20
    assert found["samples_checked"] > 200
    assert found["moments_decided_otherwise"] == found["rulings_without_decision"] == []
    assert set(found["model_error"]) == {"makespan_s", "spills", "spilled_bytes"}


def test_a_trace_comes_from_stdin_too() -> None:
    ended = atectl("budget", "simulate", "-", "-o", "json", stdin=SPILLED.read_bytes())
    assert ended.status == 0
    assert json.loads(ended.stdout) == simulated(SPILLED)


def test_a_trace_that_was_cut_off_is_no_whole_run(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    lines = SPILLED.read_text().splitlines(keepends=True)
    cut.write_text("".join(lines[:60]))
    recorded = simulated(cut)["runs"][0]
    assert (recorded["unfinished"], recorded["finished"]) == (6, 0)
    assert recorded["makespan_s"] == json.loads(lines[59])["at_s"]
    told = atectl("budget", "simulate", cut).stdout
    assert "0 of 6" in told
    assert "with 6 leases unfinished; replays know no more of them" in told


def test_a_trace_without_its_decisions_fails(tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    lines = SPILLED.read_text().splitlines(keepends=True)
    bare.write_text("".join(line for line in lines if '"decided"' not in line))
    ended = atectl("budget", "simulate", bare)
    assert ended.status == 1
    assert "rulings stand in the trace without a decision, the first at" in ended.stdout


def test_a_limit_below_the_baseline_is_e312_and_the_others_are_replayed() -> None:
    ended = atectl("budget", "simulate", SPILLED, "--limit", "50M", "--limit", "600M", "-o", "json")
    found = json.loads(ended.stdout)
    assert ended.status == 1
    assert '"code": "E312", "message": "the limit of 52428800 bytes' in ended.stderr
    assert "62914560 bytes" in ended.stderr
    assert [refused["code"] for refused in found["refused"]] == ["E312"]
    assert [run["limit_bytes"] >> 20 for run in found["runs"]] == [512, 600]


def test_what_a_limit_refuses_is_told_once_and_the_rest_of_it_is_replayed() -> None:
    words = ("--limit", "50M", "--backpressure", "both", "--backpressure", "none")
    ended = atectl("budget", "simulate", SPILLED, *words, "--backpressure", "park")
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert ended.status == 1
    assert ended.stderr.count("error[E312]") == 1
    runs = [row[:2] for row in rows if row and row[0] in ("recorded", "replayed", "refused")]
    assert runs == [
        ["recorded", "both"],
        ["refused", "both"],
        ["replayed", "none"],
        ["refused", "park"],
    ]
    assert next(row for row in rows if row[:1] == ["refused"])[5] == "E312"


def test_a_trace_that_is_decided_otherwise_now_fails(tmp_path: Path) -> None:
    text = SPILLED.read_text()
    altered = tmp_path / "altered.jsonl"
    altered.write_text(text.replace('"backpressure":"both"', '"backpressure":"park"'))
    ended = atectl("budget", "simulate", altered)
    assert ended.status == 1
    assert "are decided otherwise than recorded" in ended.stdout


def test_the_timelines_are_drawn_into_a_file(tmp_path: Path) -> None:
    picture = tmp_path / "runs.svg"
    ended = atectl("budget", "simulate", SPILLED, "--policy", "largest", "--chart", picture)
    assert ended.status == 0
    root = ElementTree.parse(picture).getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}g"))) == 2


def test_a_picture_without_a_place_is_refused(tmp_path: Path) -> None:
    ended = atectl("budget", "simulate", SPILLED, "--chart", tmp_path / "no" / "runs.svg")
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
