"""`atectl locks hold`, off a terminal: what the command is told, and how it and the lock end."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.locks.holder_record import parse_holder
from atectl.locks.keys import companion_keys
from tests.support.lock_holding import (
    HOLD,
    Work,
    held,
    holding,
    telling_pid,
)
from tests.support.old_kernel import require_known_machine, without_subreapers
from tests.support.processes import is_alive, pid_in, state_of
from tests.support.program import NO_OTHER_PYTHON, atectl
from tests.support.redis_servers import AclServer, Server
from tests.support.waiting import SOON_S, wait_until

KEY = "lock:actor:team:web"


# What the command is told


def test_the_command_has_its_lock_in_its_environment(valkey: Server, tmp_path: Path) -> None:
    command = ["sh", "-c", "env | grep ^ATECTL_LOCK_ | sort; sleep 60"]
    with holding(valkey.url, command=command) as process:
        assert process.stdout is not None
        told = dict(process.stdout.readline().decode().strip().split("=", 1) for _ in range(4))
        with contextlib.closing(valkey.client()) as client:
            token = client.get(KEY).decode()
    assert told == {
        "ATECTL_LOCK_ACTOR": "team/web",
        "ATECTL_LOCK_FENCE": "1",
        "ATECTL_LOCK_KEY": KEY,
        "ATECTL_LOCK_TOKEN": token,
    }


def test_every_holder_has_a_greater_number(valkey: Server) -> None:
    command = ["sh", "-c", "echo $ATECTL_LOCK_FENCE"]
    numbers = [int(held(valkey.url, command=command).stdout) for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_stdin_and_stdout_are_the_commands(valkey: Server) -> None:
    ended = subprocess.run(
        [*HOLD, "team/web", "--", "cat"],
        env={**os.environ, "ATECTL_REDIS_URL": valkey.url},
        input=b"as it is\x00\xff",
        capture_output=True,
        timeout=30,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"as it is\x00\xff", b"")


def test_a_word_of_the_command_need_not_be_utf8(valkey: Server) -> None:
    ended = subprocess.run(
        [*HOLD, "team/web", "--", "printf", b"a\xff"],
        env={**os.environ, "ATECTL_REDIS_URL": valkey.url},
        capture_output=True,
        timeout=30,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"a\xff", b"")


def test_the_record_says_who_holds_it_for_whom_and_until_when(
    valkey: Server, tmp_path: Path
) -> None:
    options = ["--principal", "tenant", "--deadline", "60s"]
    with holding(valkey.url, *options, command=telling_pid(tmp_path, "sleep 60")) as process:
        pid_in(tmp_path)
        with contextlib.closing(valkey.client()) as client:
            record = parse_holder(client.hgetall(companion_keys(KEY).holder))
        assert record is not None
        assert (record.host, record.pid) == (os.uname().nodename, process.pid)
        assert record.principal == "tenant"
        assert record.command is not None
        assert record.command.startswith("sh -c 'echo ")
        assert record.since is not None
        assert record.deadline == pytest.approx(record.since + 60, abs=0.01)


def test_the_older_form_of_the_key_and_another_prefix_can_be_had(valkey: Server) -> None:
    command = ["sh", "-c", "echo $ATECTL_LOCK_ACTOR $ATECTL_LOCK_KEY"]
    ended = held(valkey.url, "--lock-prefix", "mine:", command=command, actor="web")
    assert ended.stdout == "web mine:web\n"


@pytest.mark.parametrize(
    "words",
    [
        ["team/web", "echo", "-n", "--lock-ttl", "-x", "--", "--help"],
        ["team/web", "--lock-ttl", "5s", "echo", "-n", "--lock-ttl", "-x", "--", "--help"],
        ["--lock-ttl", "5s", "team/web", "echo", "-n", "--lock-ttl", "-x", "--", "--help"],
        [
            "--lock-ttl=5s",
            "--lock-strict",
            "team/web",
            "--",
            "echo",
            "-n",
            "--lock-ttl",
            "-x",
            "--",
            "--help",
        ],
    ],
    ids=["none", "between", "before", "with an end"],
)
def test_options_end_at_the_first_word_of_the_command(valkey: Server, words: list[str]) -> None:
    ended = atectl("locks", "hold", *words, environment={"ATECTL_REDIS_URL": valkey.url})
    assert (ended.status, ended.stdout) == (0, "--lock-ttl -x -- --help")


def test_an_option_of_ours_before_the_command_is_still_checked(valkey: Server) -> None:
    words = ["hold", "team/web", "--tll", "5s", "true"]
    ended = atectl("locks", *words, environment={"ATECTL_REDIS_URL": valkey.url})
    assert ended.status == 2
    assert "--tll" in ended.stderr


# How it ends


def test_a_guard_that_cannot_be_started_is_told_and_the_lock_released(valkey: Server) -> None:
    words = ["locks", "hold", "--redis", valkey.url, "team/web", "--", "true"]
    ended = atectl(*words, before=NO_OTHER_PYTHON)
    assert ended.status == 125
    assert "error[E705]: /dev/null: Python could not be started: Permission denied" in ended.stderr
    with contextlib.closing(valkey.client()) as client:
        assert client.get(KEY) is None


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 41", 41), ("kill -KILL $$", 137)]
)
def test_the_exit_status_is_the_commands(valkey: Server, script: str, status: int) -> None:
    ended = held(valkey.url, command=["sh", "-c", script])
    assert (ended.returncode, ended.stderr) == (status, "")
    with contextlib.closing(valkey.client()) as client:
        assert client.exists(KEY) == 0


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [(["no-such-command"], "E543", 127), (["/etc/hostname"], "E544", 126)],
)
def test_a_command_that_cannot_be_run_is_said_so_and_the_lock_released(
    valkey: Server, command: list[str], code: str, status: int
) -> None:
    ended = held(valkey.url, command=command)
    assert ended.returncode == status
    assert ended.stderr.startswith(f"error[{code}]")
    with contextlib.closing(valkey.client()) as client:
        assert client.exists(KEY) == 0


def test_what_the_command_leaves_running_is_dead_when_the_lock_is_released(
    valkey: Server, tmp_path: Path
) -> None:
    script = f"sleep 60 > /dev/null 2>&1 & echo $! > {tmp_path}/pid"
    assert held(valkey.url, command=["sh", "-c", script]).returncode == 0
    assert not is_alive(pid_in(tmp_path))


DAEMON = """
import os, pathlib, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
sys.stdout.close(); sys.stderr.close(); os.close(1); os.close(2)
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()}\\n")
time.sleep(600)
"""
"""A program that leaves its group, its session and its parents."""


def daemon(folder: Path, then: str) -> list[str]:
    """A command that starts a daemon, waits until that runs, and does something."""
    pid = folder / "pid"
    program = f"{sys.executable} -I -S -c '{DAEMON}' {pid}; until [ -s {pid} ]; do sleep 0.02; done"
    return ["sh", "-c", f"{program}; {then}"]


def test_a_daemon_that_the_command_leaves_behind_is_dead_and_told_of(
    valkey: Server, tmp_path: Path
) -> None:
    ended = held(valkey.url, command=daemon(tmp_path, "exit 7"))
    pid = pid_in(tmp_path)
    assert not is_alive(pid)
    assert ended.returncode == 7
    assert ended.stderr.startswith("warning[E548]: the command left ")
    assert f"(pid {pid})" in ended.stderr


def test_a_daemon_is_dead_when_atectl_is_killed(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=daemon(tmp_path, "sleep 60")) as process:
        pid = pid_in(tmp_path)
        process.kill()
        wait_until(lambda: not is_alive(pid))


def test_a_daemon_is_dead_when_the_lock_is_lost(valkey: Server, tmp_path: Path) -> None:
    with holding(
        valkey.url, "--lock-ttl", "1500ms", command=daemon(tmp_path, "sleep 60")
    ) as process:
        pid = pid_in(tmp_path)
        with contextlib.closing(valkey.client()) as client:
            client.set(KEY, "a successor", px=60_000)
        assert process.wait(SOON_S) == 125
        assert not is_alive(pid)


def test_signals_reach_a_daemon_too(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=daemon(tmp_path, "trap 'exit 7' TERM; sleep 60 & wait")) as it:
        pid = pid_in(tmp_path)
        it.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_alive(pid))
        it.wait(SOON_S)


@pytest.mark.parametrize("passes", [False, True])
def test_the_password_stays_with_atectl_unless_it_is_passed(
    valkey: Server, tmp_path: Path, passes: bool
) -> None:
    url = valkey.url.replace("//", "//default:secret@")
    with contextlib.closing(valkey.client()) as client:
        client.config_set("requirepass", "secret")
    options = ["--pass-redis"] if passes else []
    work = Work(tmp_path)
    with holding(url, *options, command=work.command) as process:
        pid = work.begun()
        guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        for each in (pid, guard):
            environment = Path(f"/proc/{each}/environ").read_bytes()
            assert (b"secret" in environment) == passes
            assert b"ATECTL_LOCK_TOKEN=" in environment
        work.may_end()
        assert process.wait(SOON_S) == 0


def test_descriptors_that_a_shell_gave_are_the_commands(valkey: Server, tmp_path: Path) -> None:
    words = [*HOLD, "team/web", "--", "sh", "-c", "cat <&3; echo out >&4; ls /proc/self/fd"]
    (tmp_path / "in").write_text("from a file\n")
    script = f"exec {shlex.join(words)} 3<{tmp_path}/in 4>{tmp_path}/out"
    ended = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "ATECTL_REDIS_URL": valkey.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout.split()[:3] == ["from", "a", "file"]
    assert (tmp_path / "out").read_text() == "out\n"
    # The last is what `ls` itself has opened.
    assert ended.stdout.split()[3:-1] == ["0", "1", "2", "3", "4"]


def test_a_busy_lock_is_refused_with_who_holds_it(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=telling_pid(tmp_path, "sleep 60")) as process:
        pid_in(tmp_path)
        ended = held(valkey.url, command=["touch", str(tmp_path / "ran")])
    assert ended.returncode == 75
    for part in ("E540", "team/web", os.uname().nodename, f"pid {process.pid}", "since", "TTL"):
        assert part in ended.stderr
    assert not (tmp_path / "ran").exists()


def test_a_holders_name_reaches_the_terminal_as_inert_text(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, "\x1b[31mred", px=60_000)
        holder = {"token": "\x1b[31mred", "host": "h\x1b]0;title\x07", "command": "a\nb"}
        client.hset(companion_keys(KEY).holder, mapping=holder)
    ended = held(valkey.url, command=["true"])
    assert ended.returncode == 75
    assert "\x1b" not in ended.stderr
    assert ended.stderr.count("\n") == 2


def test_a_wait_ends_when_the_lock_is_free(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=telling_pid(tmp_path, "sleep 1.5")):
        pid_in(tmp_path)
        ended = held(valkey.url, "--lock-wait", "20s", command=["echo", "ran"])
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ran\n", "")


def test_a_wait_in_vain_is_refused(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=telling_pid(tmp_path, "sleep 60")):
        pid_in(tmp_path)
        ended = held(valkey.url, "--lock-wait", "300ms", command=["true"])
    assert ended.returncode == 75


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait(valkey: Server, number: signal.Signals) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, "somebody", px=60_000)
        with holding(valkey.url, "--lock-wait", "60s", command=["true"]) as process:
            wait_until(lambda: client.info("commandstats").get("cmdstat_eval", {}) != {})
            process.send_signal(number)
            assert process.wait(SOON_S) == 128 + number
        assert client.get(KEY) == b"somebody"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--lock-ttl", "0", "team/web"], "E103"),
        (["--lock-ttl", "100ms", "team/web"], "E545"),
        (["--deadline", "soon", "team/web"], "E103"),
        (["--principal", "a b", "team/web"], "E104"),
        (["Team/Web"], "E114"),
    ],
)
def test_bad_input_is_one_error_and_nothing_runs(
    valkey: Server, tmp_path: Path, words: list[str], code: str
) -> None:
    *options, actor = words
    ended = held(valkey.url, *options, command=["touch", str(tmp_path / "ran")], actor=actor)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error[{code}]: ")
    assert ended.stderr.count("error[") == 1
    assert not (tmp_path / "ran").exists()


def test_without_redis_that_is_said_with_its_address_and_no_password(tmp_path: Path) -> None:
    url = "redis://user:pass-word@127.0.0.1:1"
    ended = held(url, command=["touch", str(tmp_path / "ran")])
    assert ended.returncode == 125
    assert ended.stderr.startswith("error[E501]: 127.0.0.1:1 ")
    assert "pass-word" not in ended.stderr
    assert not (tmp_path / "ran").exists()


def test_a_user_who_may_not_take_locks_is_told_so(acl_server: AclServer) -> None:
    ended = held(acl_server.url_for("viewer"), command=["true"])
    assert ended.returncode == 125
    assert ended.stderr.startswith("error[E504]: ")


# Signals


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1]
)
def test_a_signal_is_passed_on_to_the_command(
    valkey: Server, tmp_path: Path, number: signal.Signals
) -> None:
    trap = f"trap 'exit {number + 20}' {number}; "
    command = telling_pid(tmp_path, "while :; do sleep 0.01; done", first=trap)
    with holding(valkey.url, command=command) as process:
        pid_in(tmp_path)
        process.send_signal(number)
        assert process.wait(SOON_S) == number + 20
    with contextlib.closing(valkey.client()) as client:
        assert client.exists(KEY) == 0


def test_a_signal_the_command_does_not_heed_does_not_end_atectl(
    valkey: Server, tmp_path: Path
) -> None:
    until_heard = f"until [ -e {tmp_path}/heard ]; do sleep 0.01; done; exit 7"
    command = telling_pid(tmp_path, until_heard, first=f"trap 'touch {tmp_path}/heard' TERM; ")
    with holding(valkey.url, command=command) as process:
        pid_in(tmp_path)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON_S) == 7


def test_a_hangup_that_is_ignored_stays_ignored(valkey: Server, tmp_path: Path) -> None:
    work = Work(tmp_path)
    command = ["nohup", *HOLD, "team/web", "--", *work.command]
    process = subprocess.Popen(
        command,
        env={**os.environ, "ATECTL_REDIS_URL": valkey.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pid = work.begun()
        process.send_signal(signal.SIGHUP)
        os.kill(pid, signal.SIGHUP)
        work.may_end()
        assert process.wait(SOON_S) == 0
    finally:
        process.kill()
        process.wait()


def test_a_stopped_command_is_continued(valkey: Server, tmp_path: Path) -> None:
    work = Work(tmp_path)
    with holding(valkey.url, command=work.command) as process:
        work.begun()
        process.send_signal(signal.SIGTSTP)
        wait_until(lambda: state_of(process.pid) == "T")
        process.send_signal(signal.SIGCONT)
        work.may_end()
        assert process.wait(SOON_S) == 0


def test_a_killed_guard_ends_the_command(valkey: Server, tmp_path: Path) -> None:
    with holding(valkey.url, command=telling_pid(tmp_path, "exec sleep 60")) as process:
        pid = pid_in(tmp_path)
        os.kill(os.getpgid(pid), signal.SIGKILL)
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert stderr.startswith(b"error[E546]")
        assert not is_alive(pid)


def test_where_nothing_finds_strays_that_is_said(valkey: Server) -> None:
    require_known_machine()
    ended = atectl(
        *("locks", "hold", "team/web", "--", "echo", "it ran"),
        environment={"ATECTL_REDIS_URL": valkey.url},
        preexec_fn=without_subreapers,
    )
    assert (ended.status, ended.stdout) == (0, "it ran\n")
    assert ended.stderr.startswith("warning[E549]: this system cannot tell which processes ")
