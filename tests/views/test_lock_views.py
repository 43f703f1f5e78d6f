"""The tables of actor locks, as they look at several widths."""

import pytest

from atectl.commands.locks.audit_view import attempts_table
from atectl.commands.locks.details_view import lock_details_view
from atectl.commands.locks.screen_state import (
    Key,
    Listed,
    ListingFailed,
    LocksScreen,
    Resized,
    reduce,
)
from atectl.commands.locks.screen_view import locks_screen
from atectl.commands.locks.view import locks_view
from atectl.locks.actor_records import WorkerRecord
from atectl.locks.audit import Attempt, AuditNote
from atectl.locks.details import LockDetails, Worker
from atectl.locks.verdicts import Look, Verdict
from tests.support.golden import WIDTHS, assert_looks_like, drawn
from tests.support.lock_examples import token
from tests.support.lock_rows import HOLDER, ROWS, actor, row

TTL_S = 30.0


def screen(width: int, height: int = 14) -> LocksScreen:
    state = reduce(LocksScreen(TTL_S), Resized(width, height))
    return reduce(state, Listed(tuple(ROWS)))


@pytest.mark.parametrize("width", WIDTHS)
def test_locks(width: int) -> None:
    assert_looks_like(f"locks-{width}", drawn(locks_view(ROWS, TTL_S), width))


def test_the_widest_table_has_every_column() -> None:
    assert_looks_like("locks-200", drawn(locks_view(ROWS, TTL_S), 200))


def test_locks_in_ascii() -> None:
    picture = drawn(locks_view([row()], TTL_S, ascii_only=True), 120)
    assert "#####..." in picture
    assert "█" not in picture


@pytest.mark.parametrize("width", WIDTHS)
def test_one_lock_in_full(width: int) -> None:
    actors = (actor(), actor("RUNNING", atespace="prod"))
    held = row("web", Verdict.RENEWING, holder=HOLDER, age_s=125.0, principal="render-farm")
    details = LockDetails(
        keys=("lock:actor:demo:web", "lock:actor:web"),
        locks=(held.lock,),
        fences={"lock:actor:demo:web": 12},
        actors=actors,
        workers=(Worker("worker:1c9a5d2f-pod", WorkerRecord(True, node="node-4", actor="web")),),
        warnings=("replica", "failover"),
    )
    view = lock_details_view(details, [held], TTL_S)
    assert_looks_like(f"lock-{width}", drawn(view, width))


def test_what_is_too_long_of_a_fact_goes_on_below_it() -> None:
    stranded = row("web", Verdict.STRANDED)
    details = LockDetails(("lock:actor:demo:web",), (stranded.lock,), {}, (), ())
    lines = drawn(lock_details_view(details, [stranded], TTL_S), 60).splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("verdict"))
    assert lines[place + 1] == f"{' ' * 16}off; retry it, there is nothing to release"


def test_a_lock_with_everything_to_warn_of() -> None:
    odd = row(
        "web",
        Verdict.FOREIGN,
        look=Look("x", None, 0, 0),
        has_stale_holder=True,
        atespace=None,
        actors=(actor(), actor("undecodable")),
    )
    details = LockDetails(("lock:actor:web",), (odd.lock,), {}, (), ())
    assert_looks_like("lock-warnings-80", drawn(lock_details_view(details, [odd], TTL_S), 80))


def test_a_stranded_actor_has_nothing_to_release() -> None:
    stranded = row("web", Verdict.STRANDED, key=None, look=None)
    details = LockDetails(("lock:actor:demo:web",), (stranded.lock,), {}, (actor(),), ())
    picture = drawn(lock_details_view(details, [stranded], TTL_S), 120)
    assert "the actor's operation was broken off; retry it, there is nothing to release" in picture
    assert picture.endswith("releasing\n  there is nothing to release\n")


def test_an_actor_without_a_lock_says_so() -> None:
    details = LockDetails(("lock:actor:demo:web",), (), {}, (actor("RUNNING"),), ())
    assert drawn(lock_details_view(details, [], TTL_S), 120).startswith("no lock\n")


@pytest.mark.parametrize("width", WIDTHS)
def test_attempts(width: int) -> None:
    note = AuditNote(
        id="a",
        at=1_790_000_000.0,
        outcome="released",
        is_forced=False,
        user="root",
        uid=0,
        sudo_user="alice",
        host="node-1",
        tty="/dev/pts/0",
        ssh_connection="10.0.0.1 5 10.0.0.2 22",
        server="127.0.0.1:6379",
        key="lock:actor:demo:web",
        actor="demo/web",
        token=token(1),
        ttl_ms=1000,
        verdict="expiring",
        holder="node-9/4711 \x1b[31m",
    )
    broken_off = note._replace(outcome="intended", is_forced=True, token=None, user="", uid=1000)
    attempts = [Attempt(note, ("file", "stream")), Attempt(broken_off, ("file",))]
    assert_looks_like(f"lock-attempts-{width}", drawn(attempts_table(attempts), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_screen(width: int) -> None:
    assert_looks_like(f"locks-screen-{width}", drawn(locks_screen(screen(width)), width))


@pytest.mark.parametrize("width", [1, 30, 61, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 9, 50])
def test_the_live_screen_has_exactly_the_lines_of_its_terminal(width: int, height: int) -> None:
    picture = drawn(locks_screen(screen(width, height)), width)
    assert len(picture.splitlines()) == height


def test_the_live_screen_says_that_it_is_looking_paused_or_trying_again() -> None:
    state = screen(80)
    fresh = reduce(LocksScreen(TTL_S), Resized(80, 10))
    assert drawn(locks_screen(fresh), 80).startswith("listing the locks …")
    assert drawn(locks_screen(reduce(state, Key(" "))), 80).startswith("paused   8 listed")
    failed = reduce(state, ListingFailed("127.0.0.1:1 cannot be reached\x1b[2J"))
    line = drawn(locks_screen(failed), 80).splitlines()[0]
    assert line == "as of 0s ago; trying again: 127.0.0.1:1 cannot be reached\\x1b[2J"
