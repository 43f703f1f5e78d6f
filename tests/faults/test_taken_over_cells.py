"""A guest that has taken its cell over hurts nobody else, and what it says is believed about
nothing: each attack in a real batch."""

import json
import re
from typing import Any

import pytest

from tests.support.taken_over import BAD, Ended, ran_taken_over

MIB = 1 << 20
TELLS = """
def attack(cell, wire, order):
    return outcome(**json.loads(TOLD))
"""


def told(**message: Any) -> Ended:
    """A batch in which a cell tells this of its lease."""
    return ran_taken_over(TELLS.replace("TOLD", repr(json.dumps(message))), victims=1)


def assert_is_condemned(ended: Ended) -> None:
    """Its cell was ended for what it sent, and all others are done."""
    assert ended.of_bad["reason"] == "cell-lost"
    assert ended.of_bad["error"]["code"] == "E328"
    assert all(each["reason"] == "exited" for each in ended.of_others)
    assert ended.status == 1


# What it tells of its lease


@pytest.mark.parametrize(
    "outcome",
    [
        {"reason": "arbiter"},
        {"reason": "interrupted", "status": 130},
        {"reason": "host-lost"},
        {"reason": "cell-lost"},
        {"reason": "lock-lost"},
        {"reason": "deadline"},
        {"reason": "trapped"},
        {"status": 1},
        {"code": None},
        {"error": ["E301", "it is not so", ""]},
        {"reason": "quota", "status": 0, "error": ["E301", "it is not so", ""]},
    ],
)
def test_an_end_that_no_cell_can_know_of_is_not_believed(outcome: dict[str, Any]) -> None:
    assert_is_condemned(told(outcome=outcome))


def test_more_memory_than_the_quota_is_not_believed() -> None:
    for reading in ([65 * MIB, 0, 0], [0, 65 * MIB, 0], [0, 0, 65 * MIB]):
        assert_is_condemned(told(reading=[*reading, 0, 0, 0.0]))


def test_fuel_that_nobody_gave_is_not_believed() -> None:
    assert_is_condemned(told(fuel=1))


def test_memory_that_nobody_may_keep_is_not_believed_to_be_kept() -> None:
    assert_is_condemned(told(kept=1))


KEEPS_NOTHING = """
def attack(cell, wire, order):
    cell._drop_idle = lambda: 0
    wire.send({"begin": 0})
    wire.send({"grow": 60 << 20})
    wire.receive()
    return outcome(kept=60 << 20)
"""


def test_memory_that_is_said_to_be_kept_keeps_nobody_from_running() -> None:
    ended = ran_taken_over(
        KEEPS_NOTHING, "--pool", "2", "--limit", "500MiB", "--jobs", "1", bad=[{}] * 10
    )
    assert all(each["reason"] == "exited" for each in ended.of_others)
    assert "E328" in {(each["error"] or {}).get("code") for each in ended.results[BAD]}
    assert not any(each["decisions"] for each in ended.results[BAD]), "nobody had to give way"


def test_what_takes_time_is_believed_as_far_as_there_was_time_for_it() -> None:
    result = told(reading=[0, 0, 0, 1 << 60, 0, 1e24], cpu_s=1e9).of_bad
    assert result["reason"] == "exited"
    assert result["cpu_s"] <= result["wall_s"]
    assert result["byte_seconds"] <= result["quota_bytes"] * result["wall_s"]
    assert result["refused_growths"] <= 10_000_000 * result["wall_s"]


@pytest.mark.parametrize(
    "missing", [[["gates"]], [[]], [["folders"], ["folders"]], ["folders"], [[7]]]
)
def test_walls_that_there_are_not_are_not_missed(missing: list[Any]) -> None:
    attack = f"""
def attack(cell, wire, order):
    for missing in {missing!r}:
        wire.send({{"missing": missing}})
"""
    assert_is_condemned(ran_taken_over(attack, victims=1))


# How it tells it

FLOODS_CONTROL = """
def attack(cell, wire, order):
    stream = control()
    try:
        while True:
            stream.sendall(framed(b'{"answer":0}') * 1000)
    except OSError:
        time.sleep(600)
"""
DRIBBLES_ON_CONTROL = """
def attack(cell, wire, order):
    def dribble():
        stream = control()
        stream.sendall((1 << 20).to_bytes(4, "big") + b"\\0")
        while True:
            stream.sendall(b" ")
            time.sleep(0.1)
    cell._post(dribble)
    time.sleep(600)
"""
SENDS_DESCRIPTORS = """
def attack(cell, wire, order):
    socket.send_fds(control(), [framed(b'{"answer":1}', 8)], [2] * 8)
    time.sleep(600)
"""
BEGINS_A_LARGE_MESSAGE = """
def attack(cell, wire, order):
    wire._stream.sendall((5 << 20).to_bytes(4, "big") + b"\\0")
    time.sleep(600)
"""
WANTS_CODE_FOR_EVER = """
def attack(cell, wire, order):
    while True:
        wire.send({"lacks": "code"})
"""
GIVES_NOTHING_BACK_FOR_EVER = """
def attack(cell, wire, order):
    while True:
        wire.send({"free": 0})
"""


@pytest.mark.parametrize(
    "attack",
    [
        FLOODS_CONTROL,
        SENDS_DESCRIPTORS,
        BEGINS_A_LARGE_MESSAGE,
        WANTS_CODE_FOR_EVER,
        GIVES_NOTHING_BACK_FOR_EVER,
    ],
    ids=["answers", "descriptors", "large", "code", "nothing"],
)
def test_a_cell_that_says_more_than_one_does_is_ended(attack: str) -> None:
    assert_is_condemned(ran_taken_over(attack))


def test_a_cell_that_never_finishes_an_answer_keeps_nobody_waiting() -> None:
    ended = ran_taken_over(DRIBBLES_ON_CONTROL, "--jobs", "2", bad=[{"deadline": "3s"}])
    assert ended.of_bad["reason"] == "deadline"
    assert all(each["reason"] == "exited" for each in ended.of_others)


FINISHES_NO_MESSAGE = """
import atexit
def tell_peak():
    if os.getpid() == HOST:
        print(open("/proc/self/status").read(), file=sys.stderr)
atexit.register(tell_peak)
def attack(cell, wire, order):
    wire._stream.sendall((3 << 20).to_bytes(4, "big") + bytes((3 << 20) - 100))
    time.sleep(600)
"""


def test_what_a_cell_has_not_finished_saying_on_its_lines_takes_no_memory_of_its_host() -> None:
    bad = [{"deadline": "4s", "max_mem": "1MiB"}] * 40
    ended = ran_taken_over(FINISHES_NO_MESSAGE, "--jobs", "41", "--cells", "1", victims=1, bad=bad)
    assert {each["reason"] for each in ended.results[BAD]} == {"deadline"}
    assert all(each["reason"] == "exited" for each in ended.of_others)
    (peak_kib,) = re.findall(r"VmHWM:\s+(\d+) kB", ended.stderr)
    assert int(peak_kib) < 60 << 10


# What it does to other processes

REACHES_OUT = """
def attack(cell, wire, order):
    def attempts():
        return [
            tried(lambda: os.kill(HOST, signal.SIGKILL)),
            tried(lambda: open(f"/proc/{HOST}/mem", "r+b")),
            tried(lambda: os.setpriority(os.PRIO_PROCESS, HOST, 10)),
            tried(lambda: os.sched_setaffinity(HOST, {0})),
            tried(socket.socket),
            tried(lambda: os.posix_spawn("/bin/true", ["true"], {})),
            tried(lambda: resource.prlimit(HOST, resource.RLIMIT_NOFILE, (3, 3))),
        ]
    on_each = (attempts, lambda: on_first_thread(cell, attempts),
               lambda: cell._confinement.apart(attempts))
    return outcome(*(each for attempt in on_each for each in attempt()))
"""

GROWS = """
def attack(cell, wire, order):
    held = []
    while True:
        held.append(b"x" * (8 << 20))
"""


def test_a_cell_that_grows_without_end_is_ended_and_its_job_is_told_why() -> None:
    ended = ran_taken_over(GROWS)
    assert (ended.of_bad["reason"], ended.of_bad["exit_status"]) == ("quota", 137)
    assert ended.of_bad["error"]["code"] == "E309"
    assert all(each["reason"] == "exited" for each in ended.of_others)


STARTS_THREADS = """
def attack(cell, wire, order):
    threading.stack_size(32768)
    while True:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""


def test_a_cell_that_starts_threads_without_end_is_ended() -> None:
    assert_is_condemned(ran_taken_over(STARTS_THREADS))


def test_no_thread_of_a_cell_reaches_its_host() -> None:
    ended = ran_taken_over(REACHES_OUT)
    assert set(ended.of_bad["results"]) <= {"Operation not permitted", "Permission denied"}
    assert len(ended.of_bad["results"]) == 21
    assert all(each["reason"] == "exited" for each in ended.of_others)
