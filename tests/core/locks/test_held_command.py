"""The order in which a held command is looked after: what time has passed comes first."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from atectl.errors import AtectlError
from atectl.locks.errors import LockBusy, LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.held_command import HeldEnd, hold, run_held
from atectl.locks.holder_record import Holder
from atectl.locks.holding import LockTerms
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import redis_settings
from tests.support.redis_servers import Server

KEY = "lock:actor:team:web"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lock:
    """A lock of 30 s that is renewed no more."""

    token = "the token"
    fence = 1
    terms = LockTerms("team/web", "key", Holder("host", 1, "command"), LockTimes(30.0), None)

    def __init__(self, clock: Clock, said: list[str]) -> None:
        self._clock = clock
        self._said = said
        self.kill_by = clock.now + 28

    def keep(self, _on_renewed: object) -> None:
        self._said.append("keep")

    def look(self) -> LockLost | None:
        return LockLost("silence") if self._clock.now >= self.kill_by - 8 else None

    def release(self) -> None:
        self._said.append("release")


class Child:
    """A command on a terminal that is stopped once, and ends when it is continued."""

    has_terminal = True
    guard_is_gone = False
    is_stopped = True
    exit_status: int | None = None

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._said.append("close")

    strays: tuple[()] = ()
    finds_strays = True
    reader = 0

    def extend(self, kill_by: float) -> None: ...

    def start(self, words: list[str], environment: dict[str, str]) -> None:
        self._said.append("start")

    def signal(self, number: int) -> None:
        self._said.append(signal.Signals(number).name)

    def poll(self) -> None: ...

    def give_up_terminal(self) -> None: ...

    def resume(self) -> None:
        self._said.append("resume")
        self.is_stopped = False
        self.exit_status = 0


class Signals:
    """Signals that were received, once each."""

    def __init__(self, *received: int) -> None:
        self._received = set(received)

    @property
    def reader(self) -> int:
        return 0

    def received(self) -> set[int]:
        received, self._received = self._received, set()
        return received


@pytest.mark.parametrize(
    ("stopped_s", "told"),
    [
        (5.0, []),
        (21.0, ["SIGTERM", "SIGCONT"]),
        (60.0, ["SIGKILL"]),
    ],
    ids=["in time", "lost", "past its TTL"],
)
def test_who_was_stopped_is_told_of_the_loss_before_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, stopped_s: float, told: list[str]
) -> None:
    clock, said = Clock(), []  # type: tuple[Clock, list[str]]

    def stop(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGSTOP)
        clock.now += stopped_s

    monkeypatch.setattr("atectl.locks.held_command.GuardedChild", lambda kill_by: Child(said))
    monkeypatch.setattr("atectl.locks.held_command._has_shell", lambda: True)
    monkeypatch.setattr(os, "kill", stop)
    run_held(Lock(clock, said), ["command"], {}, Signals(), clock=clock)  # type: ignore[arg-type]
    before_it_goes_on = said[: said.index("resume")]
    assert before_it_goes_on == ["keep", "start", *told]
    assert said[-2:] == ["close", "release"]


class TestHold:
    """Taking a lock, waiting for it if asked, and running a command under it."""

    @pytest.fixture
    def connection(self, valkey: Server) -> Iterator[RedisConnection]:
        with connect(redis_settings(valkey.url)) as connection:
            yield connection

    def hold(
        self,
        connection: RedisConnection,
        *words: str,
        wait_s: float | None = None,
        signals: Signals | None = None,
        on_wait: Callable[[AtectlError], None] = lambda _busy: None,
    ) -> HeldEnd:
        return hold(
            lambda: connection,
            LockTerms("team/web", KEY, Holder("host", 1, "command"), LockTimes(30.0), None),
            words or ("true",),
            os.environ,
            signals or Signals(),
            wait_s=wait_s,
            on_wait=on_wait,
            on_warning=lambda warning: pytest.fail(str(warning)),
        )

    def test_the_status_is_the_commands_and_the_lock_is_released(
        self, connection: RedisConnection
    ) -> None:
        assert self.hold(connection, "sh", "-c", "exit 7") == HeldEnd(7)
        assert connection.client.get(KEY) is None

    def test_a_lock_that_is_held_is_not_waited_for_unless_asked(
        self, connection: RedisConnection
    ) -> None:
        connection.client.set(KEY, "somebody's")
        with pytest.raises(LockBusy):
            self.hold(connection)

    def test_a_lock_that_becomes_free_is_taken(self, connection: RedisConnection) -> None:
        connection.client.set(KEY, "somebody's")
        told: list[AtectlError] = []

        def free(busy: AtectlError) -> None:
            told.append(busy)
            connection.client.delete(KEY)

        assert self.hold(connection, wait_s=60.0, on_wait=free) == HeldEnd(0)
        assert len(told) == 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
    def test_a_signal_ends_the_wait_with_the_status_it_would_have_given_the_command(
        self, connection: RedisConnection, number: int
    ) -> None:
        connection.client.set(KEY, "somebody's")
        ended = self.hold(connection, wait_s=60.0, signals=Signals(number))
        assert ended == HeldEnd(128 + number)
        assert connection.client.get(KEY) == b"somebody's"

    def test_a_wait_is_stopped_from_the_terminal_and_goes_on(
        self, connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection.client.set(KEY, "somebody's")

        def stop() -> None:
            connection.client.delete(KEY)  # for which it would wait otherwise

        monkeypatch.setattr("atectl.locks.held_command.stop_as_asked", stop)
        ended = self.hold(connection, wait_s=60.0, signals=Signals(signal.SIGTSTP))
        assert ended == HeldEnd(0)
