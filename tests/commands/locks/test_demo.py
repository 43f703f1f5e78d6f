"""`atectl locks demo`: lays samples, says how to remove them, and refuses a server of others."""

import contextlib

from tests.support.program import Ended, atectl
from tests.support.redis_servers import Server


def demo(server: Server, *words: str) -> Ended:
    return atectl("locks", "demo", *words, environment={"ATECTL_REDIS_URL": server.url})


def test_samples_are_laid_and_removed_as_it_says(valkey: Server) -> None:
    laid = demo(valkey)
    assert laid.status == 0
    assert laid.stdout.startswith(f"26 keys written to {valkey.address}\n")
    assert "`atectl locks demo --remove` removes them" in laid.stdout
    removed = demo(valkey, "--remove")
    assert (removed.status, removed.stdout) == (0, f"26 keys removed from {valkey.address}\n")


def test_a_server_that_is_named_here_alone_is_to_be_named_again(valkey: Server) -> None:
    laid = atectl("locks", "demo", "--redis", valkey.url)
    assert "\nwith the same --redis: `atectl locks ls` lists them" in laid.stdout


def test_a_key_that_is_no_sample_any_more_is_named(valkey: Server) -> None:
    demo(valkey)
    with contextlib.closing(valkey.client()) as client:
        client.set("lock:actor:demo:batch", "another")
    removed = demo(valkey, "--remove")
    assert "25 keys removed" in removed.stdout
    assert "left alone, as it is no sample any more: lock:actor:demo:batch" in removed.stderr


def test_a_server_of_others_is_refused_with_what_to_do(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set("of somebody", "1")
    ended = demo(valkey)
    assert (ended.status, ended.stdout) == (1, "")
    assert f"error[E527]: {valkey.address} has another key" in ended.stderr
    assert "--force lays them all the same" in ended.stderr
    assert demo(valkey, "--force").status == 0
