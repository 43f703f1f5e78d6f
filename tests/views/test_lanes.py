"""The lane of each job: when it ran, when it was held back, and whether it was ended."""

from xml.etree import ElementTree

from atectl.arbitration.view import Action
from atectl.commands.drawing.lanes import Lane, Stretch, in_parts, lanes_of, shown_of
from atectl.commands.drawing.timeline_svg import timeline_svg
from atectl.trace.events import Event, Finished, Registered, Ruled, Trace
from tests.support.trace_records import RECIPES

SVG = "{http://www.w3.org/2000/svg}"


def ruled(at_s: float, action: Action, lease: int = 1, reason: str = "") -> Ruled:
    return Ruled(at_s, action, lease, 9, None, reason, None, 0, 0)


def lane(*events: Event) -> Lane:
    """That of lease 1, which begins at 1 s, in a run of 10 s."""
    (found,) = lanes_of([Registered(1.0, 1, 0, label="it"), *events], (), 10.0)
    return found


def test_a_job_that_is_held_back_runs_is_parked_and_spilled_in_turn() -> None:
    found = lane(
        ruled(2.0, Action.PARK),
        ruled(3.0, Action.SPILL),
        ruled(5.0, Action.GRANT),
        Finished(6.0, 1),
    )
    assert found == Lane(
        "1 it",
        (
            Stretch(1.0, 2.0, "runs"),
            Stretch(2.0, 3.0, "park"),
            Stretch(3.0, 5.0, "spill"),
            Stretch(5.0, 6.0, "runs"),
        ),
    )


def test_a_job_whose_spill_failed_is_still_parked() -> None:
    found = lane(ruled(2.0, Action.PARK), ruled(3.0, Action.SPILL, reason="failed: no room"))
    assert [each.state for each in found.stretches] == ["runs", "park"]


def test_a_job_that_did_not_finish_goes_on_to_the_end() -> None:
    assert lane().stretches == (Stretch(1.0, 10.0, "runs"),)


def test_a_job_that_was_ended_says_when() -> None:
    assert lane(ruled(4.0, Action.ABORT), Finished(4.5, 1)).aborted_s == 4.0


def test_a_replay_has_the_names_of_the_trace() -> None:
    named = Registered(0.0, 7, 0, capsule="a.wasm")
    (found,) = lanes_of([Registered(2.0, 7, 0)], [named], 3.0)
    assert (found.name, found.stretches) == ("7 a.wasm", (Stretch(2.0, 3.0, "runs"),))


def test_of_many_jobs_those_that_were_held_back_are_shown() -> None:
    calm = [Lane(str(number), (Stretch(0.0, 1.0, "runs"),)) for number in range(9)]
    held = Lane("held", (Stretch(0.0, 1.0, "park"),))
    assert [each.name for each in shown_of([*calm, held], 3)] == ["0", "1", "held"]


def test_what_is_shorter_than_a_part_is_seen() -> None:
    brief = Lane("", (Stretch(0.0, 50.0, "runs"), Stretch(50.0, 50.1, "spill")))
    assert in_parts(brief, 100.0, 10) == [(0, 5, "runs"), (5, 6, "spill")]


def test_a_chart_has_a_lane_for_each_job_and_grows_with_them() -> None:
    trace = RECIPES["aborted"].trace()
    root = ElementTree.fromstring(timeline_svg(trace))
    lanes = [x for x in root.iter(f"{SVG}path") if (x.get("class") or "") == "lane runs"]
    assert len(lanes) == 6
    ended = [x for x in root.iter(f"{SVG}path") if x.get("class") == "lane abort"]
    assert len(ended) == 3
    lowest = max(float(x.get("y") or 0) for x in root.iter(f"{SVG}text"))
    assert lowest < float(root.get("height") or 0)


def test_a_chart_of_many_jobs_says_how_many_are_left_out() -> None:
    trace = RECIPES["calm"].trace()
    jobs = tuple(
        Registered(0.0, number, 0, label=f"the-longest-name-{number}") for number in range(99)
    )
    text = timeline_svg(Trace(trace.header, jobs))
    assert "and 59 more" in text
    assert ">0 the-lo…-name-0<" in text
