"""Reading traces back: whole, cut off or older, and refused where they are none."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from atectl.accounting import Budget
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, Decision
from atectl.trace.errors import BadTrace
from atectl.trace.events import Decided, Event, Finished, Header, Registered, Sampled
from atectl.trace.reading import read_trace, read_trace_from
from atectl.trace.recording import event_line, header_line

HEADER = Header(Budget(1 << 30), "both", None, 4)


def written(path: Path, *events: Event) -> Path:
    path.write_text(header_line(HEADER) + "".join(map(event_line, events)))
    return path


def refusal(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(BadTrace) as caught:
        read_trace(path)
    return str(caught.value)


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "t", Registered(0.0, 1, 0), Finished(1.0, 1))
    path.write_text(path.read_text()[:-5])
    assert read_trace(path).events == (Registered(0.0, 1, 0),)


def test_a_trace_is_read_from_a_stream_too() -> None:
    text = header_line(HEADER) + event_line(Registered(0.0, 1, 0))
    assert read_trace_from(BytesIO(text.encode()), "stdin").events == (Registered(0.0, 1, 0),)
    with pytest.raises(BadTrace, match="stdin is not text in UTF-8"):
        read_trace_from(BytesIO(b"\xff\n"), "stdin")


def test_an_older_trace_is_read_without_what_it_does_not_say(tmp_path: Path) -> None:
    """Such as were written before headers named the cores, and registrations the principal."""
    path = tmp_path / "trace"
    path.write_text(
        '{"event":"trace","schema_version":1,"limit_bytes":1000,"soft":0.8,"resume":0.7,'
        '"backpressure":"both","policy":null,"jobs":2}\n'
        '{"event":"registered","at_s":0.1,"lease":1,"priority":0}\n'
        '{"event":"sampled","at_s":0.2,"resident_bytes":9,"baseline_bytes":5,"charged_bytes":0}\n'
    )
    trace = read_trace(path)
    assert (trace.header.busy_leases, trace.header.spill_room_bytes) == (None, None)
    assert trace.events == (Registered(0.1, 1, 0, "", "", ""), Sampled(0.2, 9, 5, 0))


def test_a_lease_that_was_given_up_on_may_be_decided_on_after_it_finished(tmp_path: Path) -> None:
    left = Standing(1, 0, 200, aborting=True, stalled=True, stored_bytes=100)
    decided = Decided(2.0, 9, 5, 7, 1, (left,), (Decision(Action.GRANT, 1, 5, "fits"),))
    path = written(tmp_path / "t", Registered(0.0, 1, 0), Finished(1.0, 1), decided)
    assert read_trace(path).events[2] == decided


GOOD_HEADER = header_line(HEADER).strip()
GOOD_EVENT = event_line(Registered(1.0, 1, 0)).strip()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "is empty"),
        (["not json"], "line 1: it is no JSON: Expecting"),
        (["[1]"], "line 1: it is no JSON object"),
        ([GOOD_EVENT], "line 1: it is no header"),
        (
            [GOOD_HEADER.replace('"schema_version":1', '"schema_version":9')],
            "schema_version: it is 9, not 1",
        ),
        ([GOOD_HEADER.replace("0.7", "0.95")], "fractions"),
        (
            [GOOD_HEADER.replace('"both"', '"maybe"')],
            'backpressure: "maybe" is',
        ),
        ([GOOD_HEADER, '{"event":"grew"}'], "line 2: it is no event"),
        ([GOOD_HEADER, '{"event":["grew"]}'], "line 2: it is no event"),
        ([GOOD_HEADER, '{"event":"registered","at_s":1,"lease":1}'], "line 2: priority is missing"),
        ([GOOD_HEADER, GOOD_EVENT.replace("0}", '0,"label":7}')], "label: 7 is no text"),
        (
            [GOOD_HEADER.replace('"busy_leases":null', '"busy_leases":0')],
            "busy_leases: 0 is no",
        ),
        ([GOOD_HEADER, GOOD_EVENT.replace("1.0", "NaN")], "at_s: NaN is no number"),
        ([GOOD_HEADER, GOOD_EVENT.replace("1.0", "true")], "at_s: true is no number"),
        (
            [GOOD_HEADER, GOOD_EVENT.replace('"lease":1', '"lease":1.5')],
            "lease: 1.5 is no whole",
        ),
        ([GOOD_HEADER, GOOD_EVENT, GOOD_EVENT.replace("1.0", "0.5")], "goes back in time"),
        ([GOOD_HEADER, '{"event":"finished","at_s":1,"lease":2}'], "lease 2, unregistered"),
        ([GOOD_HEADER, "[" * 100_000], "line 2: it is no JSON that can be read"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(
    given: list[str], told: str, tmp_path: Path
) -> None:
    assert told in refusal(tmp_path / "trace", *given)


ASKS = {"number": 1, "priority": 0, "held_bytes": 9, "asked_bytes": 9}


@pytest.mark.parametrize(
    ("leases", "told"),
    [
        ([{"number": 1}], "leases 1: priority is missing"),
        ([{"number": 1, "priority": 0, "held_bytes": -1}], "leases 1: held_bytes: -1 is no whole"),
        ([{"number": 1, "priority": 0, "held_bytes": 9}, 3], "leases 2: 3 is no table"),
        (7, "leases: 7 is no list of leases"),
        ([{"odd": 1}], "leases 1: unknown key 'odd'"),
        ([{**ASKS, "parking": True}], "leases 1: no lease stands so"),
        ([{**ASKS, "spilling": True}], "leases 1: no lease stands so"),
    ],
)
def test_a_view_of_leases_that_is_none_is_refused(
    leases: object, told: str, tmp_path: Path
) -> None:
    record = {"event": "decided", "at_s": 1, "resident_bytes": None, "baseline_bytes": 0}
    record |= {"spill_room_bytes": 0, "busy_leases": 1, "leases": leases, "decisions": []}
    assert told in refusal(tmp_path / "trace", GOOD_HEADER, json.dumps(record))


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(BadTrace, match="UTF-8"):
        read_trace(path)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="No such file"):
        read_trace(tmp_path / "missing")
