"""Traces: written as it happens, read back the same, and refused where they are none."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Budget, Pressure
from atectl.arbitration import Action, Decision, HostView, LeaseView, Phase
from atectl.errors import BadTrace, TraceUnwritable
from atectl.trace import (
    Asked,
    Event,
    Finished,
    Header,
    Recorder,
    Registered,
    Sampled,
    Trace,
    TraceWriter,
    event_line,
    header_line,
    read_trace,
)
from tests.conftest import ROOT
from tests.trace_records import RECIPES, lines

TRACES = ROOT / "fixtures" / "traces"
HEADER = Header(Budget(1 << 30), "both", None, 4)


def written(path: Path, *events: Event) -> Path:
    writer = TraceWriter(path, HEADER)
    for event in events:
        writer.write(event)
    writer.close()
    return path


def refusal(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(BadTrace) as caught:
        read_trace(path)
    return str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_the_fixtures_are_what_the_simulated_host_does(name: str) -> None:
    path = TRACES / f"{name}.jsonl"
    made = lines(RECIPES[name].trace())
    if os.environ.get("ATECTL_REDRAW"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(made)
    assert path.read_text() == made


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_written_is_read_back(name: str, tmp_path: Path) -> None:
    trace = RECIPES[name].trace()
    path = tmp_path / "trace.jsonl"
    path.write_text(lines(trace))
    found = read_trace(path)
    rounded = [event._replace(at_s=round(event.at_s, 6)) for event in trace.events]
    assert found == Trace(trace.header, tuple(rounded))


@given(
    st.builds(
        Header,
        st.builds(Budget, st.integers(0, 2**63 - 1), st.just(0.9), st.floats(0.1, 0.9)),
        st.sampled_from(["none", "park", "spill", "both"]),
        st.sampled_from([None, "largest", "priority", "park-first", "none"]),
        st.integers(1, 4096),
    )
)
def test_every_header_is_read_back(header: Header) -> None:
    from atectl.trace import _parse

    assert _parse([header_line(header)], "trace").header == header


def test_an_arbiter_s_tale_becomes_events(tmp_path: Path) -> None:
    class Seat:
        number, priority, held_bytes = 3, -1, 65536

    told: list[Event] = []
    recorder = Recorder(told.append)
    host = HostView(Budget(100), None, 5, (LeaseView(3, -1, 65536),), 9, 2)
    recorder.registered(0.25, Seat())
    recorder.asked(0.5, Seat(), 10)
    recorder.decided(0.5, host, [Decision(Action.PARK, 3, 10, "over soft")])
    recorder.sampled(0.75, Pressure(None, 5, 65536))
    recorder.finished(1.0, Seat())
    assert told[0] == Registered(0.25, 3, -1)
    assert told[1] == Asked(0.5, 3, 65536, 10)
    assert told[3] == Sampled(0.75, None, 5, 65536)
    assert told[4] == Finished(1.0, 3)
    assert written(tmp_path / "t", *told).read_text().count("\n") == 6
    assert read_trace(tmp_path / "t").events == tuple(told)


def test_a_decision_is_kept_with_all_that_it_was_made_on() -> None:
    lease = LeaseView(3, -1, 7, 8, Phase.SPILLED, True, True, True, True, True)
    told: list[Event] = []
    host = HostView(HEADER.budget, 99, 5, (lease,), 9, 2)
    Recorder(told.append).decided(0.5, host, [])
    assert told[0].host(HEADER.budget) == host  # type: ignore[union-attr]


def test_of_a_process_that_was_killed_all_but_the_last_moment_is_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    program = f"""
import os, signal
from pathlib import Path
from atectl.accounting import Budget
from atectl.trace import *
writer = TraceWriter(Path({str(path)!r}), Header(Budget(100), "both", None, 1))
writer.write(Registered(0.0, 1, 0))
writer.write(Asked(0.1, 1, 0, 10))
writer.write(Sampled(0.2, None, 0, 10))
writer.write(Asked(0.3, 1, 10, 10))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [type(event) for event in read_trace(path).events][:3] == [Registered, Asked, Sampled]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "t", Registered(0.0, 1, 0), Finished(1.0, 1))
    path.write_text(path.read_text()[:-5])
    assert read_trace(path).events == (Registered(0.0, 1, 0),)


def test_a_trace_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceUnwritable, match="No such file"):
        TraceWriter(tmp_path / "missing" / "trace", HEADER)


def test_a_full_disk_fails_nobody_until_the_trace_is_closed() -> None:
    writer = TraceWriter(Path("/dev/full"), HEADER)
    writer.write(Sampled(0.0, None, 0, 0))
    writer.write(Sampled(0.0, None, 0, 0))
    with pytest.raises(TraceUnwritable, match="No space left"):
        writer.close()


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace", HEADER)
    writer.close()
    writer.close()


GOOD_HEADER = header_line(HEADER).strip()
GOOD_EVENT = event_line(Registered(1.0, 1, 0)).strip()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "is empty"),
        (["not json"], "line 1 is no JSON"),
        (["[1]"], "line 1 is no JSON object"),
        ([GOOD_EVENT], "line 1 is no header"),
        ([GOOD_HEADER.replace('"schema_version":1', '"schema_version":9')], "schema_version 9"),
        ([GOOD_HEADER.replace("0.7", "0.95")], "fractions"),
        ([GOOD_HEADER.replace('"both"', '"maybe"')], "no right backpressure"),
        ([GOOD_HEADER, '{"event":"grew"}'], "line 2 is no event"),
        ([GOOD_HEADER, '{"event":["grew"]}'], "line 2 is no event"),
        ([GOOD_HEADER, '{"event":"registered","at_s":1,"lease":1}'], "lacks priority"),
        ([GOOD_HEADER, GOOD_EVENT.replace("1.0", "NaN")], "no right at_s"),
        ([GOOD_HEADER, GOOD_EVENT.replace("1.0", "true")], "no right at_s"),
        ([GOOD_HEADER, GOOD_EVENT.replace('"lease":1', '"lease":1.5')], "no right lease"),
        ([GOOD_HEADER, GOOD_EVENT, GOOD_EVENT.replace("1.0", "0.5")], "goes back in time"),
        ([GOOD_HEADER, '{"event":"finished","at_s":1,"lease":2}'], "lease 2, unregistered"),
        ([GOOD_HEADER, "[" * 100_000], "line 2 is no JSON"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(
    given: list[str], told: str, tmp_path: Path
) -> None:
    assert told in refusal(tmp_path / "trace", *given)


@pytest.mark.parametrize(
    "leases",
    [[{"number": 1}], [{"number": 1, "priority": 0, "held_bytes": -1}], [3], 7, [{"odd": 1}]],
)
def test_a_view_of_leases_that_is_none_is_refused(leases: object, tmp_path: Path) -> None:
    record = {"event": "decided", "at_s": 1, "resident_bytes": None, "baseline_bytes": 0}
    record |= {"spill_room_bytes": 0, "busy_leases": 1, "leases": leases, "decisions": []}
    assert "no right leases" in refusal(tmp_path / "trace", GOOD_HEADER, json.dumps(record))


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(BadTrace, match="UTF-8"):
        read_trace(path)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="No such file"):
        read_trace(tmp_path / "missing")


def test_writing_costs_little_beside_what_it_tells_of(tmp_path: Path) -> None:
    """Ten thousand growths are traced in well under a second of processor time."""
    writer = TraceWriter(tmp_path / "trace", HEADER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for number in range(10_000):
        writer.write(Asked(number / 1000, 1, number, 65536))
    writer.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 1.0
