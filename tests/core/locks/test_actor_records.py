"""Actor and worker records of every generation, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.locks.actor_records import UNDECODABLE, decode_actor, decode_worker
from tests.support.lock_examples import example_value


def test_a_flat_record_of_the_first_generation() -> None:
    record = decode_actor(example_value("actor:demo:web"))
    assert (record.status, record.name, record.version) == ("RESUMING", "web", "4")
    assert record.worker == "ate-demo/pool-a-7d9f"
    assert record.template == "templates/python"
    assert record.is_transitional


def test_a_record_of_the_second_generation_has_its_snapshot() -> None:
    record = decode_actor(example_value("actor:demo:reports"))
    assert record.status == "SUSPENDING"
    assert record.in_progress_snapshot == "gs://snapshots/demo/reports/42"
    assert record.pod_uid == "1c9a5d2f-pod"


def test_a_record_of_the_third_generation_nests_its_names_and_state() -> None:
    record = decode_actor(example_value("actor:prod:trainer"))
    assert (record.status, record.atespace, record.name) == ("RESUMING", "prod", "trainer")
    assert (record.uid, record.version) == ("5d1e6f20-actor", "88")
    assert record.updated_at == "2026-06-12T17:36:40.508440418Z"
    assert record.worker == "ate-prod/pool-c-9f00"


@pytest.mark.parametrize("prefix", ["STATUS_", "ACTOR_STATE_"])
@pytest.mark.parametrize("state", ["RESUMING", "SUSPENDING", "PAUSING", "DELETING", "REVERTING"])
def test_transitional_states(prefix: str, state: str) -> None:
    assert decode_actor(json.dumps({"status": prefix + state}).encode()).is_transitional


@pytest.mark.parametrize("state", ["RUNNING", "SUSPENDED", "PAUSED", "CRASHED", "UNSPECIFIED"])
def test_other_states(state: str) -> None:
    record = decode_actor(json.dumps({"status": {"state": f"ACTOR_STATE_{state}"}}).encode())
    assert record.status == state
    assert not record.is_transitional


@pytest.mark.parametrize("value", [b"{}", b'{"status":{}}', b'{"status":null}'])
def test_a_state_left_out_is_the_unspecified_one(value: bytes) -> None:
    assert decode_actor(value).status == "UNSPECIFIED"


def test_a_number_for_a_state_is_shown_as_it_is() -> None:
    assert decode_actor(b'{"status":17}').status == "17"


def test_binary_protobuf_is_undecodable() -> None:
    record = decode_actor(example_value("actor:demo:ledger"))
    assert record.status == UNDECODABLE
    assert not record.is_decodable
    assert not record.is_transitional


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"3", b"null", b"[" * 100_000, b"9" * 10_000, b'"\xff"', b"NaN"]
)
def test_what_is_no_record_is_undecodable(value: bytes) -> None:
    assert decode_actor(value).status == UNDECODABLE
    assert not decode_worker(value).is_decodable


@given(st.binary() | st.text().map(str.encode))
def test_no_value_raises(value: bytes) -> None:
    decode_actor(value)
    decode_worker(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.just({})
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "metadata", "version", "actorId", "atespace", "ateomPodName"]),
        json_values | st.dictionaries(st.sampled_from(["state", "name", "uid"]), json_values),
    )
)
def test_fields_of_any_type_decode_to_text(fields: dict[str, object]) -> None:
    record = decode_actor(json.dumps(fields).encode())
    assert all(isinstance(value, str) for value in record)


def test_workers_of_two_generations() -> None:
    older = decode_worker(example_value("worker:ate-demo:pool-a:pool-a-7d9f"))
    assert (older.pool, older.actor, older.node) == ("pool-a", "web", "")
    newer = decode_worker(example_value("worker:1c9a5d2f-pod"))
    assert (newer.actor_atespace, newer.actor, newer.node) == ("demo", "reports", "node-4")
