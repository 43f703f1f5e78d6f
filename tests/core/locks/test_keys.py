"""Keys of locks, actors and workers, read and made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from atectl.locks.errors import BadActor
from atectl.locks.keys import (
    ActorName,
    actor_key,
    actor_of_lock,
    actor_of_record,
    companion_keys,
    glob_escaped,
    key_bytes,
    key_text,
    lock_key,
    parse_actor,
    worker_keys,
)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
actors = st.builds(ActorName, st.none() | labels, labels)


@given(actors, st.sampled_from(["lock:actor:", "other:", "x"]))
def test_a_key_is_read_as_it_was_made(actor: ActorName, prefix: str) -> None:
    assert actor_of_lock(lock_key(actor, prefix), prefix) == actor


@given(actors)
def test_an_actor_is_parsed_as_it_is_shown_or_by_the_key_of_its_lock(actor: ActorName) -> None:
    assert parse_actor(str(actor)) == actor
    assert parse_actor(lock_key(actor)) == actor


@given(labels, labels)
def test_a_record_is_found_under_the_actor_that_it_is_of(atespace: str, name: str) -> None:
    assert actor_of_record(actor_key(atespace, name)) == ActorName(atespace, name)


def test_the_older_key_leaves_the_atespace_out() -> None:
    assert lock_key(ActorName(None, "web")) == "lock:actor:web"
    assert lock_key(ActorName("demo", "web")) == "lock:actor:demo:web"


@pytest.mark.parametrize(
    "text", ["", "/", "demo/", "/web", "a/b/c", "Web", "web_1", "-web", "web-", "a" * 64, "wéb"]
)
def test_what_is_no_actor_is_refused(text: str) -> None:
    with pytest.raises(BadActor, match="is no actor"):
        parse_actor(text)


@pytest.mark.parametrize("tail", ["", ":", "a:", ":a", "a:b:c", "A:b", "{a}:b", "\udcff"])
def test_a_key_of_another_form_is_no_actors(tail: str) -> None:
    assert actor_of_lock(f"lock:actor:{tail}") is None


@given(actors)
def test_companions_share_the_hash_slot_of_their_lock(actor: ActorName) -> None:
    key = lock_key(actor)
    assert {key_slot(each.encode()) for each in companion_keys(key)} == {key_slot(key.encode())}


def test_a_worker_has_a_newer_and_an_older_key() -> None:
    assert worker_keys("ns", "pool", "pod", "uid") == ["worker:uid", "worker:ns:pool:pod"]
    assert worker_keys("ns", "", "pod", "") == []


@given(st.binary())
def test_a_key_of_any_bytes_comes_back_from_text(key: bytes) -> None:
    assert key_bytes(key_text(key)) == key


def test_a_pattern_of_a_prefix_matches_it_alone() -> None:
    assert glob_escaped("a[b]*?^\\c") == r"a\[b\]\*\?\^\\c"
