"""Jobs and results between submitter and host: what arrives is what was told, or is refused."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Principal, Quota, Reading
from atectl.arbitration.seat import Ruling
from atectl.arbitration.view import Action
from atectl.batch.cells.outputs import Captured, Output
from atectl.batch.cells.wire import Malformed
from atectl.batch.fleet.wire import (
    CapsuleName,
    decode,
    encode,
    read_job,
    read_result,
    told_job,
    told_result,
)
from atectl.batch.job import JobResult, JobTerms
from atectl.engine.wasi import Folder, Streams, WasiSettings
from atectl.errors import AtectlError, GuestTrapped
from atectl.lease.outcome import TRAPPED, Outcome
from atectl.lease.report import Loading
from atectl.lease.terms import Terms

CAPSULE = CapsuleName("ab" * 32, "a.wasm")
JOB = JobTerms(
    7,
    Path("a.wasm"),
    Terms(
        Principal("blue"),
        Quota(1 << 20, 2.5, None),
        WasiSettings(
            ("a.wasm", "x"),
            (("K", "v"),),
            (Folder("share:data/in", "/in", True),),
            Streams(None, "share:data/out", None),
        ),
        "add",
        "a label",
    ),
    priority=-3,
    retries=2,
)
RESULT = JobResult(
    7,
    Outcome(TRAPPED, 134, GuestTrapped("it trapped"), exit_code=None),
    Reading(1, 2, 3, 4, 5, 6.5),
    0.25,
    0.5,
    9,
    (Ruling(1.5, Action.SPILL, 7, 8, 4, 900, "over soft"),),
    Loading("cd" * 32, True, 0.0, 0.0, 0, 0),
    2,
    11,
    Output(Captured(b"\xff\x00", 2), None),
    queued_s=0.75,
    held_walls=("memory", "folders"),
)


def sent(told: Any) -> Any:
    return json.loads(json.dumps(told))


def test_a_job_arrives_as_it_was_told() -> None:
    assert read_job(sent(told_job(JOB, CAPSULE))) == (JOB, CAPSULE.sha256)


def test_a_result_arrives_as_it_was_told_with_the_name_of_its_host() -> None:
    read = read_result(sent(told_result(RESULT)), "east")
    error = read.outcome.error
    assert isinstance(error, GuestTrapped)
    assert str(error) == "it trapped"
    expected = RESULT._replace(host="east", outcome=RESULT.outcome._replace(error=error))
    assert read == expected


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(place=st.integers(0, 11), value=ANYTHING)
def test_a_job_with_any_part_replaced_is_read_or_refused(place: int, value: object) -> None:
    told = sent(told_job(JOB, CAPSULE))
    told[place] = value
    with contextlib.suppress(Malformed, AtectlError):
        read_job(told)


@given(place=st.integers(0, 12), value=ANYTHING)
def test_a_result_with_any_part_replaced_is_read_or_refused(place: int, value: object) -> None:
    told = sent(told_result(RESULT))
    told[place] = value
    with contextlib.suppress(Malformed):
        read_result(told, "east")


def test_a_message_is_an_object() -> None:
    assert decode(encode({"op": "x"})) == {"op": "x"}
    for other in (b"[]", b"{", b"7", None, b"\xff", b"[" * 100_000):
        with pytest.raises(Malformed):
            decode(other)
