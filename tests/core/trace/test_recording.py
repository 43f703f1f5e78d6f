"""Traces: written as it happens, all that happened, and never at the cost of who reports it."""

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
from atectl.arbitration.seat import Seat
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostView
from atectl.spill.area import SpillArea
from atectl.trace.errors import TraceUnwritable
from atectl.trace.events import Asked, Event, Finished, Header, Registered, Sampled, Trace
from atectl.trace.reading import parse_trace, read_trace
from atectl.trace.recording import Recorder, TraceWriter, event_line, header_line
from tests.conftest import ROOT
from tests.support.trace_records import RECIPES, lines

TRACES = ROOT / "fixtures" / "traces"
HEADER = Header(Budget(1 << 30), "both", None, 4)


def written(path: Path, *events: Event) -> Path:
    writer = TraceWriter(path, HEADER)
    for event in events:
        writer.write(event)
    writer.close()
    return path


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
        busy_leases=st.none() | st.integers(1, 4096),
        spill_room_bytes=st.none() | st.integers(0, 2**63 - 1),
    )
)
def test_every_header_is_read_back(header: Header) -> None:
    assert parse_trace([header_line(header)], "trace").header == header


class Tenant:
    """Whose a lease is, as an arbiter knows it."""

    principal, label, capsule_name, stored_bytes = "team-a", "nightly", "bounded.wat", 0

    def __init__(self, *, is_ending: bool = False) -> None:
        self.is_ending = is_ending

    def abort(self, why: str, remedy: str) -> None: ...
    def spill(self, area: SpillArea) -> int:
        return 0

    def resident_bytes(self) -> int | None:
        return None


def seat(standing: Standing, *, is_ending: bool = False) -> Seat:
    return Seat(standing, Tenant(is_ending=is_ending))


def test_an_arbiter_s_tale_becomes_events(tmp_path: Path) -> None:
    told: list[Event] = []
    recorder, told_of = Recorder(told.append), seat(Standing(3, -1, 65536))
    host = HostView(Budget(100), None, 5, (Standing(3, -1, 65536),), 9, 2)
    recorder.registered(0.25, told_of)
    recorder.asked(0.5, told_of, 10)
    recorder.decided(0.5, host, [Decision(Action.PARK, 3, 10, "over soft")])
    recorder.sampled(0.75, Pressure(None, 5, 65536))
    recorder.finished(1.0, told_of)
    assert told[0] == Registered(0.25, 3, -1, "team-a", "nightly", "bounded.wat")
    assert told[1] == Asked(0.5, 3, 65536, 10)
    assert told[3] == Sampled(0.75, None, 5, 65536)
    assert told[4] == Finished(1.0, 3)
    assert written(tmp_path / "t", *told).read_text().count("\n") == 6
    assert read_trace(tmp_path / "t").events == tuple(told)


def test_a_sample_tells_what_of_the_leases_no_event_does(tmp_path: Path) -> None:
    told: list[Event] = []
    recorder = Recorder(told.append)
    seats = [
        seat(Standing(1, 0, 9).park()),
        seat(Standing(2, 0, 9).fall_asleep()),
        seat(Standing(3, 0, 9).abort()),
        seat(Standing(4, 0, 9), is_ending=True),
    ]
    for each in seats:
        recorder.registered(0.0, each)
    recorder.sampled(0.5, Pressure(9, 5, 0))
    recorder.finished(0.6, seats[3])
    recorder.sampled(0.7, Pressure(9, 5, 0, 7))
    assert told[4] == Sampled(0.5, 9, 5, 0, parking=(1,), stalled=(2,), ending=(3, 4))
    assert told[6] == Sampled(0.7, 9, 5, 0, 7, parking=(1,), stalled=(2,), ending=(3,))
    assert read_trace(written(tmp_path / "t", *told)).events == tuple(told)


def test_a_quiet_sample_is_a_short_line() -> None:
    assert set(json.loads(event_line(Sampled(0.5, 9, 5, 0)))) == {
        "event",
        "at_s",
        "resident_bytes",
        "baseline_bytes",
        "charged_bytes",
    }


def test_a_decision_is_kept_with_all_that_it_was_made_on() -> None:
    lease = Standing(3, -1, 7, 8, Phase.SPILLED, True, True, True, True, True, 6)
    told: list[Event] = []
    host = HostView(HEADER.budget, 99, 5, (lease,), 9, 2, 12)
    Recorder(told.append).decided(0.5, host, [])
    assert told[0].host(HEADER.budget) == host  # type: ignore[union-attr]


def test_of_a_process_that_was_killed_all_but_the_last_moment_is_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    program = f"""
import os, signal
from pathlib import Path
from atectl.accounting import Budget
from atectl.trace.events import *
from atectl.trace.recording import TraceWriter
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


def test_writing_costs_little_beside_what_it_tells_of(tmp_path: Path) -> None:
    """Ten thousand growths are traced in well under a second of processor time."""
    writer = TraceWriter(tmp_path / "trace", HEADER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for number in range(10_000):
        writer.write(Asked(number / 1000, 1, number, 65536))
    writer.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 1.0
