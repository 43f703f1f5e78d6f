"""What crosses between a host and a cell is the same on both sides, and nothing is forged."""

import json
from typing import Any

import pytest
from hypothesis import given

from atectl.accounting import Principal, Quota, Reading
from atectl.batch.cells.orders import (
    OF_CELLS,
    read_capsule,
    read_cells_outcome,
    read_error,
    read_outcome,
    read_reading,
    read_refusal,
    read_seconds,
    read_streams,
    read_terms,
    told_capsule,
    told_error,
    told_outcome,
    told_reading,
    told_terms,
)
from atectl.batch.cells.wire import Malformed
from atectl.capsule.creation import Creation
from atectl.capsule.loading import Capsule
from atectl.engine.traps import TrapReport
from atectl.engine.wasi import Folder, OpenStream, Streams, WasiSettings
from atectl.errors import DeadlinePassed, GrowthRefused, GuestTrapped, error_classes
from atectl.lease.outcome import REASONS, Outcome, exited, refused
from atectl.lease.terms import Terms
from tests.core.batch.cells.test_wire import JSON


def sent(told: Any) -> Any:
    """The same after its way to the other process."""
    return json.loads(json.dumps(told))


def test_terms_are_the_same_in_a_cell() -> None:
    opened = (OpenStream("stdout", "out", 40), OpenStream("stderr", "err", 41))
    wasi = WasiSettings(
        ("guest", "\udcff word"),
        (("NAME", "value"),),
        (Folder("/host", "/guest", read_only=True),),
        Streams(opened=opened),
    )
    terms = Terms(Principal("blue"), Quota(1 << 20, 2.5, 99), wasi, "add", "label", True)
    told = sent(told_terms(terms, opened))
    assert read_terms(told, read_streams(told, (40, 41))) == terms


def test_without_streams_a_guest_has_none_of_a_cells() -> None:
    terms = Terms(Principal("blue"), Quota(1), WasiSettings(("x",)))
    assert read_terms(sent(told_terms(terms, ())), ()).wasi.streams == Streams(opened=())


def test_a_capsule_is_the_same_in_a_cell_but_for_what_loading_it_took() -> None:
    capsule = Capsule("x.wasm", "module", "5f", Creation(2, 3, 4, 5), True, True)
    loaded = capsule._replace(compile_s=1.0, image_bytes=65_536)
    assert read_capsule(sent(told_capsule(loaded))) == capsule


@pytest.mark.parametrize(
    "outcome",
    [
        exited(256, ("1", "two")),
        Outcome("quota", 137),
        Outcome("trapped", 134, None, TrapReport("unreachable", "it was", ("0  f  (m+0x1)",))),
    ],
)
def test_an_outcome_is_the_same_for_the_host(outcome: Outcome) -> None:
    assert read_outcome(sent(told_outcome(outcome))) == outcome


def test_each_error_is_the_same_for_the_host() -> None:
    for kind in error_classes():
        error = read_error(sent(told_error(kind("it broke", remedy="mend it"))))
        assert (type(error), str(error), error.remedy) == (kind, "it broke", "mend it")


def test_the_error_of_an_outcome_goes_with_it() -> None:
    error = GuestTrapped("the guest trapped")
    told = read_outcome(sent(told_outcome(Outcome("trapped", 134, error)))).error
    assert (type(told), str(told)) == (GuestTrapped, "the guest trapped")


def test_a_reading_is_the_same_for_the_host() -> None:
    reading = Reading(1, 2, 3, 4, 5, 6.5)
    assert read_reading(sent(told_reading(reading))) == reading


def test_a_guest_may_ask_for_all_that_64_bits_address() -> None:
    reading = Reading(65_536, 65_536, 65_536, 1, 1 << 64, 0.0)
    assert read_reading(sent(told_reading(reading))) == reading
    with pytest.raises(Malformed):
        read_reading(sent(told_reading(reading._replace(largest_refused_bytes=(1 << 64) + 1))))


@given(told=JSON)
def test_whatever_else_a_cell_says_is_malformed(told: Any) -> None:
    for read in (read_error, read_reading, read_seconds, read_outcome):
        try:
            read(told)
        except Malformed:
            continue
        assert read is read_seconds or told


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "won"},
        {"status": 256},
        {"status": -1},
        {"code": 1 << 32},
        {"error": ["E000", "no", "such"]},
        {"error": "E101"},
        {"trap": ["name"]},
        {"results": [1]},
        {"results": None},
    ],
)
def test_an_outcome_that_no_cell_tells_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_outcome({**told_outcome(exited(0)), **change})


@pytest.mark.parametrize(
    "outcome",
    [
        exited(0, ("1", "two")),
        exited(256),
        refused(GrowthRefused("too much")),
        Outcome("trapped", 134, GuestTrapped("it trapped"), TrapReport("unreachable", "", ())),
        Outcome("terminated", 143),
    ],
)
def test_an_outcome_that_a_cell_can_know_of_is_the_same_for_its_host(outcome: Outcome) -> None:
    told = read_cells_outcome(sent(told_outcome(outcome)))
    assert told[:2] == outcome[:2]
    assert told[3:] == outcome[3:]
    assert str(told.error) == str(outcome.error)


@pytest.mark.parametrize("reason", sorted({*REASONS} - OF_CELLS))
def test_a_reason_that_only_the_host_knows_is_malformed(reason: str) -> None:
    with pytest.raises(Malformed):
        read_cells_outcome(sent(told_outcome(Outcome(reason, 0))))
    with pytest.raises(Malformed):
        read_refusal(sent(told_error(DeadlinePassed("late"))))


def test_what_a_trap_tells_is_short_and_moves_no_cursor() -> None:
    wild = TrapReport("\x1b[2J", "x" * 1_000_000, ("\n",) * 1000)
    told = read_outcome(sent(told_outcome(Outcome("trapped", 134, None, wild)))).trap
    assert told is not None
    assert told.name == "\\x1b[2J"
    assert len(told.reason) < 10_000
    assert told.frames == ("\\n",) * 20
