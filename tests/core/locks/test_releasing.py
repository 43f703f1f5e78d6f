"""The order in which a lock is released. A script plays the operator, over real servers."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from atectl.errors import AtectlError, ConfirmationNeeded
from atectl.locks.audit import INTENDED, AuditNote, LockAudit
from atectl.locks.details import LockDetails
from atectl.locks.errors import (
    AmbiguousActor,
    AuditUnwritable,
    LockChanged,
    LockRenewing,
    NoToken,
    TokenNeeded,
    UnknownLock,
)
from atectl.locks.lock import Lock
from atectl.locks.releasing import Choice, End, Intent, Released, ReleaseRequest, release
from atectl.locks.verdicts import Verdict
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import token
from tests.support.redis_servers import AclServer

KEY = "lock:actor:demo:web"
HOLDER = f"{{{KEY}}}:holder"
STREAM = "atectl:lock-audit"

PROBE_S = 11.0
"""Longer than a holder of a lock of 30 s waits from one renewal to the next."""


class Script:
    """An operator whose answers and deeds are known beforehand.

    The time of the test is its own: it passes in `let_pass` and in waits alone, and the TTL of
    the lock on the server falls with it. `deeds` are what others do at a step, by its name.
    """

    def __init__(self, client: Any, *, choice: Choice = Choice.RELEASE, types: str = "") -> None:
        self.can_answer = True
        self.steps: list[str] = []
        self.left_s: list[float] = []
        self.shown: LockDetails | None = None
        self.judged: Lock | None = None
        self.warnings: list[AtectlError] = []
        self.deeds: dict[str, Callable[[], object]] = {}
        self.now = 1000.0
        self._client = client
        self._choice = choice
        self._types = types

    def show(self, details: LockDetails) -> None:
        self.shown = details
        self._step("show")

    def let_pass(self, probe_s: float) -> None:
        self.pass_time(probe_s)
        self._step("let pass")

    def choose(self, lock: Lock) -> Choice:
        self.judged = lock
        self._step("choose")
        return self._choice

    def type_name(self, lock: Lock) -> str:
        self.judged = lock
        self._step("type name")
        return self._types

    def watch_wait(self, lock: Lock, left_s: float) -> None:
        self.left_s.append(left_s)

    def warn(self, fault: AtectlError) -> None:
        self.warnings.append(fault)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        ttl_ms = self._client.pttl(KEY)
        if ttl_ms >= 0:
            self._client.pexpire(KEY, max(round(ttl_ms - seconds * 1000), 0))

    def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)
        self._step("sleep")

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.deeds:
            self.deeds.pop(name)()


class Scene:
    """A server, an operator, and a place for notes."""

    def __init__(self, connection: RedisConnection, folder: Path) -> None:
        self.connection = connection
        self.client: Any = connection.client
        self.path = folder / "audit.jsonl"
        self.audit = LockAudit(self.path, connection)
        self.operator = Script(self.client)

    def lock(self, number: int = 1, *, ttl_s: float | None = 25.0) -> None:
        """Have a holder take the lock."""
        self.client.set(KEY, token(number), px=None if ttl_s is None else round(ttl_s * 1000))

    def renew(self, ttl_s: float = 30.0) -> None:
        self.client.pexpire(KEY, round(ttl_s * 1000))

    def release(self, intent: Intent = Intent.ASK, **changes: Any) -> Released:
        request = {
            "actor": "demo/web", "prefix": "lock:actor:", "lock_ttl_s": 30.0, "probe_s": PROBE_S,
            "intent": intent, "token": token(1) if intent is Intent.RELEASE else None,
        }  # fmt: skip
        return release(
            self.connection,
            ReleaseRequest(**(request | changes)),  # type: ignore[arg-type]
            self.operator,
            self.audit,
            sleep=self.operator.sleep,
            clock=lambda: self.operator.now,
        )

    @property
    def holder(self) -> str | None:
        """The token in the lock, None if it is free."""
        value = self.client.get(KEY)
        return None if value is None else value.decode()

    @property
    def outcomes(self) -> list[str]:
        return [attempt.note.outcome for attempt in self.audit.attempts()[0]]


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    server: Any = request.getfixturevalue(request.param)
    with connect(redis_settings(server.url)) as connection:
        yield Scene(connection, tmp_path)


# What is released


def test_a_lock_that_nobody_renews_is_released_once_the_operator_agrees(scene: Scene) -> None:
    scene.lock()
    released = scene.release()
    assert (released.end, released.lock.verdict) == (End.RELEASED, Verdict.EXPIRING)
    assert scene.holder is None
    assert scene.operator.steps == ["show", "let pass", "choose"]
    assert scene.outcomes == ["released"]


def test_a_lock_without_a_ttl_is_released_once_the_operator_agrees(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    released = scene.release()
    assert (released.end, released.lock.verdict) == (End.RELEASED, Verdict.STUCK)


def test_who_names_the_token_is_not_asked(scene: Scene) -> None:
    scene.lock()
    assert scene.release(Intent.RELEASE).end is End.RELEASED
    assert scene.operator.steps == ["show", "let pass"]


def test_a_living_holders_lock_is_released_if_that_is_forced_and_the_name_typed(
    scene: Scene,
) -> None:
    scene.lock()
    scene.operator = Script(scene.client, types="demo/web")
    scene.operator.deeds["let pass"] = scene.renew
    # Renewed once more while the question stands: what was agreed on is the token.
    scene.operator.deeds["type name"] = lambda: scene.renew(31.0)
    released = scene.release(is_forced=True)
    assert (released.end, released.lock.verdict) == (End.RELEASED, Verdict.RENEWING)
    assert scene.operator.steps == ["show", "let pass", "type name"]
    [attempt] = scene.audit.attempts()[0]
    assert attempt.note.is_forced


# Shown first, and what is shown is what is released


def test_the_lock_is_shown_before_anything_is_judged_or_noted(scene: Scene) -> None:
    scene.lock()

    def look_around() -> None:
        assert scene.holder == token(1)
        assert scene.outcomes == []

    scene.operator.deeds["show"] = look_around
    scene.release(Intent.RELEASE)
    assert scene.operator.steps[0] == "show"
    assert scene.operator.shown is not None
    assert scene.operator.shown.only_lock().look is not None


def test_another_token_than_the_one_shown_is_left(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    scene.operator.deeds["show"] = lambda: scene.lock(2, ttl_s=None)
    with pytest.raises(LockChanged, match="another holder"):
        scene.release()
    assert scene.holder == token(2)
    assert scene.operator.steps == ["show"]


def test_another_token_than_the_one_asked_for_is_left(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    with pytest.raises(LockChanged, match=f"has the token {token(1)}, not {token(2)}"):
        scene.release(Intent.RELEASE, token=token(2))
    assert scene.holder == token(1)


def test_what_holds_no_text_is_left(scene: Scene) -> None:
    scene.client.hset(KEY, "hits", "3")
    with pytest.raises(NoToken, match="no token to compare"):
        scene.release(is_forced=True)
    assert scene.client.exists(KEY)


def test_nobody_goes_ahead_unasked_without_a_token() -> None:
    with pytest.raises(TokenNeeded):
        ReleaseRequest("demo/web", "lock:actor:", 30.0, PROBE_S, Intent.RELEASE)


def test_where_nobody_can_be_asked_the_token_is_told_and_nothing_is_waited_for(
    scene: Scene,
) -> None:
    scene.lock()
    scene.operator.can_answer = False
    with pytest.raises(ConfirmationNeeded) as raised:
        scene.release()
    assert f"--token {token(1)}" in raised.value.remedy
    assert scene.operator.steps == ["show"]
    assert scene.holder == token(1)


def test_a_name_that_stands_for_two_locks_releases_neither(scene: Scene) -> None:
    scene.lock()
    scene.client.set("lock:actor:web", token(1))
    with pytest.raises(AmbiguousActor):
        scene.release(Intent.RELEASE)
    assert scene.operator.steps == []


def test_what_is_not_there_cannot_be_released(scene: Scene) -> None:
    with pytest.raises(UnknownLock):
        scene.release()


# A second look


def test_a_lock_that_changed_hands_during_the_probe_is_left(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    scene.operator.deeds["let pass"] = lambda: scene.lock(2, ttl_s=None)
    with pytest.raises(LockChanged, match="another holder"):
        scene.release(is_forced=True)
    assert scene.holder == token(2)
    assert scene.outcomes == []


def test_a_lock_that_is_renewed_during_the_probe_is_refused(scene: Scene) -> None:
    scene.lock()
    scene.operator.deeds["let pass"] = scene.renew
    with pytest.raises(LockRenewing, match="is alive and renews it"):
        scene.release(Intent.RELEASE)
    assert scene.holder == token(1)
    assert scene.outcomes == ["refused"]


def test_a_lock_that_is_given_a_ttl_during_the_probe_is_refused(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    scene.operator.deeds["let pass"] = scene.renew
    with pytest.raises(LockRenewing):
        scene.release(Intent.RELEASE)
    assert scene.holder == token(1)


def test_a_lock_that_was_watched_too_shortly_is_refused(scene: Scene) -> None:
    scene.lock()
    with pytest.raises(LockRenewing, match="watched for less than one renewal"):
        scene.release(Intent.RELEASE, probe_s=0.01)
    assert scene.holder == token(1)


def test_a_lock_that_frees_itself_during_the_probe_needs_no_release(scene: Scene) -> None:
    scene.lock()
    scene.operator.deeds["let pass"] = lambda: scene.client.delete(KEY)
    assert scene.release(Intent.RELEASE).end is End.FREED_ITSELF
    assert scene.outcomes == []


# The verdict


def test_what_none_of_the_known_systems_wrote_is_refused(scene: Scene) -> None:
    scene.client.set(KEY, "taken by hand")
    with pytest.raises(LockRenewing, match="none of the systems that lock actors"):
        scene.release(Intent.RELEASE, token="taken by hand")
    assert scene.holder == "taken by hand"


def test_what_none_of_the_known_systems_wrote_may_be_alive_too(scene: Scene) -> None:
    scene.client.set(KEY, "taken by hand", px=25_000)
    scene.operator.deeds["let pass"] = scene.renew
    with pytest.raises(LockRenewing, match="is alive and renews it"):
        scene.release(Intent.RELEASE, token="taken by hand")


def test_a_dry_run_says_what_would_be_released_and_notes_nothing(scene: Scene) -> None:
    scene.lock()
    released = scene.release(Intent.JUDGE)
    assert (released.end, released.lock.verdict) == (End.WOULD_RELEASE, Verdict.EXPIRING)
    assert scene.holder == token(1)
    assert scene.outcomes == []


def test_a_dry_run_refuses_the_living_as_well_and_notes_nothing(scene: Scene) -> None:
    scene.lock()
    scene.operator.deeds["let pass"] = scene.renew
    with pytest.raises(LockRenewing):
        scene.release(Intent.JUDGE)
    assert scene.outcomes == []


# The operator's answer


def test_an_operator_who_decides_against_it_leaves_the_lock(scene: Scene) -> None:
    scene.lock()
    scene.operator = Script(scene.client, choice=Choice.LEAVE)
    assert scene.release().end is End.LEFT
    assert scene.holder == token(1)
    assert scene.outcomes == ["refused"]


@pytest.mark.parametrize("typed", ["web", "y", "release", "", "demo/web "])
def test_a_living_holders_lock_is_left_unless_the_name_is_typed_in_full(
    scene: Scene, typed: str
) -> None:
    scene.lock()
    scene.operator = Script(scene.client, types=typed)
    scene.operator.deeds["let pass"] = scene.renew
    assert scene.release(is_forced=True).end is End.LEFT
    assert scene.holder == token(1)


def test_an_operator_may_wait_instead(scene: Scene) -> None:
    scene.lock()
    scene.operator = Script(scene.client, choice=Choice.WAIT)
    scene.operator.deeds["sleep"] = lambda: scene.client.delete(KEY)
    assert scene.release().end is End.WAITED
    assert scene.outcomes == []


# Exactly what was seen


def test_a_lock_that_is_renewed_while_the_question_stands_is_left(scene: Scene) -> None:
    scene.lock()
    scene.operator.deeds["choose"] = scene.renew
    with pytest.raises(LockChanged, match="was renewed just now"):
        scene.release()
    assert scene.holder == token(1)
    assert scene.outcomes == ["renewed"]


def test_a_lock_that_changes_hands_while_the_question_stands_is_left(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    scene.operator.deeds["choose"] = lambda: scene.lock(2, ttl_s=None)
    with pytest.raises(LockChanged, match="another holder"):
        scene.release()
    assert scene.holder == token(2)
    assert scene.outcomes == ["changed"]


def test_a_forced_release_compares_the_token_too(scene: Scene) -> None:
    scene.lock()
    scene.operator = Script(scene.client, types="demo/web")
    scene.operator.deeds["let pass"] = scene.renew
    scene.operator.deeds["type name"] = lambda: scene.lock(2)
    with pytest.raises(LockChanged, match="another holder"):
        scene.release(is_forced=True)
    assert scene.holder == token(2)


def test_a_lock_that_frees_itself_while_the_question_stands_needs_no_release(
    scene: Scene,
) -> None:
    scene.lock()
    scene.operator.deeds["choose"] = lambda: scene.client.delete(KEY)
    assert scene.release().end is End.FREED_ITSELF
    assert scene.outcomes == ["gone"]


def test_a_living_lock_that_frees_itself_while_the_question_stands_needs_no_release(
    scene: Scene,
) -> None:
    scene.lock()
    scene.operator = Script(scene.client, types="demo/web")
    scene.operator.deeds["let pass"] = scene.renew
    scene.operator.deeds["type name"] = lambda: scene.client.delete(KEY)
    assert scene.release(is_forced=True).end is End.FREED_ITSELF


# Notes


class WatchedAudit(LockAudit):
    """An audit that tells what the lock was when each note was written."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.path, scene.connection)
        self.seen: list[tuple[str, str | None]] = []
        self._scene = scene

    def write(self, note: AuditNote) -> list[AtectlError]:
        faults = super().write(note)
        self.seen.append((note.outcome, self._scene.holder))
        return faults


def test_an_attempt_is_noted_before_the_lock_is_deleted_and_after_it(scene: Scene) -> None:
    scene.lock()
    scene.audit = audit = WatchedAudit(scene)
    scene.release()
    assert audit.seen == [(INTENDED, token(1)), ("released", None)]


def test_a_note_says_what_was_seen_and_who_held_it(scene: Scene) -> None:
    scene.lock()
    record = {"token": token(1), "host": "node-9", "pid": "4711", "command": "migrate"}
    scene.client.hset(HOLDER, mapping=record)
    scene.release()
    [attempt] = scene.audit.attempts()[0]
    note = attempt.note
    assert (note.key, note.actor, note.token) == (KEY, "demo/web", token(1))
    assert (note.verdict, note.is_forced, note.holder) == ("expiring", False, "node-9/4711 migrate")
    assert note.server == scene.connection.address
    assert note.ttl_ms is not None
    assert 0 < note.ttl_ms <= 25_000 - PROBE_S * 1000
    assert attempt.places == ("file", "stream")
    assert scene.path.read_text().count(note.id) == 2


def test_one_place_is_enough_and_the_operator_is_warned_of_the_other(scene: Scene) -> None:
    scene.lock()
    scene.path.mkdir()
    assert scene.release().end is End.RELEASED
    assert [fault.code for fault in scene.operator.warnings] == ["E523"]


def test_without_a_place_for_notes_nothing_is_deleted(scene: Scene) -> None:
    scene.lock()
    scene.path.mkdir()
    scene.client.set(STREAM, "no stream")
    with pytest.raises(AuditUnwritable):
        scene.release()
    assert scene.holder == token(1)


def test_a_release_that_fails_is_noted_too(acl_server: AclServer, tmp_path: Path) -> None:
    with closing(acl_server.client()) as admin:
        rules = ("on", ">secret", "~*", "+@all", "-del")
        admin.execute_command("ACL", "SETUSER", "clerk", *rules)
    with connect(redis_settings(acl_server.url_for("clerk", "secret"))) as clerk:
        scene = Scene(clerk, tmp_path)
        scene.lock()
        with pytest.raises(RedisFailure):
            scene.release()
        assert scene.holder == token(1)
        [outcome] = scene.outcomes
        assert outcome.startswith("failed: E5")


# Waiting


def test_a_wait_ends_when_the_lock_is_free(scene: Scene) -> None:
    scene.lock(ttl_s=60.0)
    assert scene.release(Intent.WAIT).end is End.WAITED
    assert 1000 < scene.operator.now <= 1060.5
    assert scene.outcomes == []


def test_a_wait_ends_when_another_holder_takes_over(scene: Scene) -> None:
    scene.lock()
    scene.operator.deeds["sleep"] = lambda: scene.lock(2)
    assert scene.release(Intent.WAIT).end is End.TAKEN_OVER
    assert scene.holder == token(2)


def test_a_wait_tells_how_long_it_may_last(scene: Scene) -> None:
    scene.lock(ttl_s=60.0)
    scene.operator.deeds["sleep"] = lambda: scene.client.delete(KEY)
    scene.release(Intent.WAIT)
    assert 0 < scene.operator.left_s[0] <= 61
    assert scene.operator.left_s[1] == scene.operator.left_s[0] - 0.5


def test_a_wait_for_a_holder_that_renews_ends_soon_after_the_ttl(scene: Scene) -> None:
    scene.lock(ttl_s=60.0)

    def renew_at_each_look() -> None:
        scene.renew(60.0)
        scene.operator.deeds["sleep"] = renew_at_each_look

    scene.operator.deeds["sleep"] = renew_at_each_look
    with pytest.raises(LockRenewing, match=r"still held after .+: its holder renews it"):
        scene.release(Intent.WAIT)
    assert 1000 < scene.operator.now <= 1061
    assert scene.holder == token(1)


def test_a_wait_for_a_longer_ttl_than_anybody_waits_says_what_is_left(scene: Scene) -> None:
    scene.lock(ttl_s=600.0)
    with pytest.raises(LockRenewing, match="still held after 2m00s; it frees itself in"):
        scene.release(Intent.WAIT)
    assert scene.operator.now == 1120


def test_a_lock_that_never_expires_is_not_waited_for(scene: Scene) -> None:
    scene.lock(ttl_s=None)
    with pytest.raises(LockRenewing, match="has no TTL"):
        scene.release(Intent.WAIT)
    assert scene.operator.steps == ["show"]
