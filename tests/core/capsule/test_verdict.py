"""What is made of the answer of a process that compiled, and of how it died without one."""

import signal

import pytest

from atectl.capsule.errors import CompileMemory, CompileTime, HostExhausted
from atectl.capsule.limits import CompileLimits
from atectl.capsule.records import encode, escape
from atectl.capsule.refusal import Refusal
from atectl.capsule.verdict import OutgrewGrant, Verdict, verdict_of
from atectl.errors import CompilerGone, InternalError, InvalidCapsule

MIB = 1 << 20
LIMITS = CompileLimits(memory_bytes=100 * MIB, deadline_s=10)
FAILED = "memory allocation of {} bytes failed"


def judged(
    granted_bytes: int = 100 * MIB,
    *,
    was_late: bool = False,
    status: int = 0,
    peak: int = 0,
    messages: str = "",
    **answer: str,
) -> Verdict:
    """The verdict on a process that began with 10 MiB and took 2 s by the clock."""
    record = {
        "began_with": str(10 * MIB),
        **answer,
        "status": str(status),
        "cpu": "1.5",
        "peak": str(peak),
        "messages": escape(messages),
    }
    reply = encode(record)
    return verdict_of(reply, "x.wasm", LIMITS, granted_bytes, 2.0, was_late=was_late)


def code_of(verdict: Verdict) -> str | None:
    return None if verdict.refusal is None else verdict.refusal.code


def test_effort_is_what_the_process_took_beyond_what_it_began_with() -> None:
    refused = Refusal.of(InvalidCapsule("x.wasm: no"), "x.wasm").record()
    assert judged(peak=70 * MIB, **refused).effort == (2.0, 1.5, 60 * MIB)
    assert judged(peak=5 * MIB, **refused).effort.peak_bytes == 0


def test_a_refusal_is_told_with_the_hash_of_what_was_read() -> None:
    refusal = Refusal.of(InvalidCapsule("x.wasm: no"), "x.wasm")
    verdict = judged(sha256="ab", **refusal.record())
    assert (verdict.sha256, verdict.refusal, verdict.made) == ("ab", refusal, None)


@pytest.mark.parametrize(
    "died",
    [
        {"fault": "memory", "peak": 60 * MIB},
        {"fault": "memory", "peak": 20 * MIB},
        {"fault": "system", "errno": "27"},
        {"status": -signal.SIGABRT, "peak": 80 * MIB, "messages": "whatever"},
        {"status": -signal.SIGABRT, "peak": 20 * MIB, "messages": FAILED.format(50 * MIB)},
        {"status": -signal.SIGSEGV, "peak": 90 * MIB},
    ],
)
def test_what_died_near_its_memory_took_too_much_of_it(died: dict[str, object]) -> None:
    assert code_of(judged(**died)) == CompileMemory.code  # type: ignore[arg-type]


def test_what_died_near_a_grant_that_could_be_more_outgrew_that() -> None:
    with pytest.raises(OutgrewGrant):
        judged(30 * MIB, fault="memory", peak=30 * MIB)
    with pytest.raises(OutgrewGrant):
        judged(30 * MIB, status=-signal.SIGABRT, peak=30 * MIB, messages=FAILED.format(64))


def test_what_died_for_memory_far_from_any_limit_met_a_machine_without_any() -> None:
    with pytest.raises(HostExhausted, match="cannot allocate memory"):
        judged(status=-signal.SIGABRT, peak=20 * MIB, messages=FAILED.format(64))


@pytest.mark.parametrize("late", [{"was_late": True}, {"status": -signal.SIGXCPU}])
def test_what_was_ended_for_its_time_took_too_much_of_it(late: dict[str, object]) -> None:
    verdict = judged(**late)  # type: ignore[arg-type]
    assert code_of(verdict) == CompileTime.code
    assert verdict.refusal is not None
    assert not verdict.refusal.is_certain  # it had 1.5 s of 10: others may have had the rest


@pytest.mark.parametrize(
    ("died", "error", "said"),
    [
        ({"status": -signal.SIGKILL}, CompilerGone, "was ended by SIGKILL"),
        ({"status": -signal.SIGABRT, "messages": "\nassertion\nmore"}, CompilerGone, "assertion"),
        ({"status": 3}, CompilerGone, r"\(status 3\): no reason given"),
        ({"fault": "system", "errno": "24"}, HostExhausted, "too many open files"),
        ({"fault": "other", "said": "ValueError: x"}, InternalError, "ValueError: x"),
    ],
)
def test_what_says_nothing_about_the_capsule_is_no_verdict(
    died: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        judged(**died)  # type: ignore[arg-type]


@pytest.mark.parametrize("reply", [b"", b"nonsense", encode({"cpu": "1"})[:-1]])
def test_a_reply_that_is_none_means_that_nobody_was_left_to_give_one(reply: bytes) -> None:
    with pytest.raises(CompilerGone, match="the process that compiles was ended"):
        verdict_of(reply, "x.wasm", LIMITS, 1, 2.0, was_late=False)
