"""The order in which a held command is looked after: what time has passed comes first."""

import os
import signal

import pytest

from atectl.locks.errors import LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.held_command import run_held
from atectl.locks.holder_record import Holder
from atectl.locks.holding import LockTerms


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
    reader = 0

    def received(self) -> set[int]:
        return set()


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
