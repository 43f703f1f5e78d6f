"""Judging locks: what two looks at a simulated holder come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.locks.verdicts import (
    Look,
    Verdict,
    Watch,
    is_token,
    judge,
    probe_s,
    renewal_period_s,
    tolerance_s,
)
from tests.support.lock_examples import token

TOKEN, OTHER = token(1), token(2)
TTL_S = 30.0


def look(ttl_s: float | None, at: float, value: str | None = TOKEN, latency: float = 0.0) -> Look:
    return Look(value, ttl_s, at, at + latency)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (look(20, 0), None, Verdict.HELD),
        (look(20, 0), look(10, 10), Verdict.HELD),
        (look(20, 0), look(9, 11.1), Verdict.EXPIRING),
        (look(20, 0), look(29, 11.1), Verdict.RENEWING),
        (look(20, 0), look(20.4, 0.1), Verdict.HELD),
        (look(20, 0), look(20.7, 0.1), Verdict.RENEWING),
        (look(20, 0), look(29, 11.1, OTHER), Verdict.HELD),
        (look(20, 0), look(9, 11.1, OTHER), Verdict.HELD),
        (look(None, 0), None, Verdict.STUCK),
        (look(None, 0), look(None, 11.1), Verdict.STUCK),
        (look(20, 0), look(None, 11.1), Verdict.STUCK),
        (look(None, 0), look(30, 11.1), Verdict.RENEWING),
        (look(20, 0, "taken by hand"), None, Verdict.FOREIGN),
        (look(20, 0, None), None, Verdict.FOREIGN),
        (look(None, 0, "x"), None, Verdict.FOREIGN),
        (look(20, 0), look(9, 11.1, "x"), Verdict.FOREIGN),
    ],
)
def test_what_is_seen_leads_to_a_verdict(
    first: Look, second: Look | None, verdict: Verdict
) -> None:
    assert judge(first, second, lock_ttl_s=TTL_S) is verdict


def test_an_idle_actor_makes_a_held_lock_one_that_is_finishing() -> None:
    assert judge(look(20, 0), is_idle=True) is Verdict.FINISHING
    assert judge(look(20, 0), look(9, 11.1), is_idle=True) is Verdict.EXPIRING


@pytest.mark.parametrize(
    "value",
    [
        "",
        "A1B2C3D4-1111-4222-8333-444455556666",
        token(1)[:-1],
        token(1) + "\n",
        "00000001-1111-1222-8333-444455556666",
        "00000001-1111-4222-0333-444455556666",
    ],
)
def test_only_a_version_4_uuid_is_a_token(value: str) -> None:
    assert is_token(TOKEN)
    assert not is_token(value)


ttls = st.floats(0.5, 600)
fractions = st.floats(0, 1)


@given(
    ttl_s=ttls, phase=fractions, probe=st.floats(0, 3), latencies=st.tuples(fractions, fractions)
)
def test_a_dead_holder_is_never_called_renewing(
    ttl_s: float, phase: float, probe: float, latencies: tuple[float, float]
) -> None:
    """Whenever within its wait the server answers."""
    first_s, second_s = (latency * ttl_s for latency in latencies)
    expires_at = 2 * first_s + ttl_s * (1 + phase)
    answered_at = first_s * phase
    asked_at = first_s + probe * ttl_s
    again_at = asked_at + second_s * phase
    first = Look(TOKEN, expires_at - answered_at, 0, first_s)
    second = Look(TOKEN, expires_at - again_at, asked_at, asked_at + second_s)
    assert judge(first, second, lock_ttl_s=ttl_s) is not Verdict.RENEWING


@given(
    ttl_s=ttls,
    phase=fractions,
    probe=st.floats(0, 3),
    delays=st.lists(st.floats(-0.05, 0.05), min_size=12, max_size=12),
    latencies=st.tuples(fractions, fractions),
)
def test_a_renewing_holder_is_never_called_expiring(
    ttl_s: float,
    phase: float,
    probe: float,
    delays: list[float],
    latencies: tuple[float, float],
) -> None:
    """At any phase, by any probe, however late the answers: at worst it is too soon to tell."""
    period_s = renewal_period_s(ttl_s)
    renewals = [period_s * (place + delay) for place, delay in enumerate(delays)]

    def left(at: float) -> float:
        return max(renewal for renewal in renewals if renewal <= at) + ttl_s - at

    first_s, second_s = (latency * period_s for latency in latencies)
    sent_at = period_s * (0.1 + phase)
    asked_at = sent_at + first_s + probe * period_s
    first = Look(TOKEN, left(sent_at + first_s * phase), sent_at, sent_at + first_s)
    again_at = asked_at + second_s * (1 - phase)
    second = Look(TOKEN, left(again_at), asked_at, asked_at + second_s)
    assert judge(first, second, lock_ttl_s=ttl_s) is not Verdict.EXPIRING


@given(ttl_s=ttls, phase=fractions)
def test_a_probe_of_the_usual_length_settles_it(ttl_s: float, phase: float) -> None:
    probe = probe_s(ttl_s) + 0.001
    last_renewal = -renewal_period_s(ttl_s) * phase
    first = look(last_renewal + ttl_s, 0)
    dead = look(last_renewal + ttl_s - probe, probe)
    assert judge(first, dead, lock_ttl_s=ttl_s) is Verdict.EXPIRING
    periods = int((probe - last_renewal) / renewal_period_s(ttl_s))
    renewed_at = last_renewal + periods * renewal_period_s(ttl_s)
    alive = look(renewed_at + ttl_s - probe, probe)
    assert judge(first, alive, lock_ttl_s=ttl_s) is Verdict.RENEWING


@given(ttls)
def test_a_renewal_stands_out_of_the_tolerance(ttl_s: float) -> None:
    assert 0 < tolerance_s(ttl_s) <= min(0.5, renewal_period_s(ttl_s) / 2)


class TestWatch:
    """Locks that are looked at every second."""

    def seen(self, watch: Watch, left: list[float], *, start: float = 0) -> list[Verdict]:
        return [watch.judge("key", look(ttl, start + at)) for at, ttl in enumerate(left)]

    def test_a_holder_stays_renewing_between_its_renewals(self) -> None:
        verdicts = self.seen(Watch(TTL_S), [22, 21, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 30])
        assert verdicts == [Verdict.HELD] * 2 + [Verdict.RENEWING] * 11

    def test_a_holder_that_dies_is_expiring_a_probe_later(self) -> None:
        left = [21.0, 30.0, *(29.0 - second for second in range(14))]
        verdicts = self.seen(Watch(TTL_S), left)
        assert verdicts[1:12] == [Verdict.RENEWING] * 11
        assert verdicts[12:] == [Verdict.EXPIRING] * 4

    def test_another_holder_starts_over(self) -> None:
        watch = Watch(TTL_S)
        self.seen(watch, [20, 30])
        assert watch.judge("key", look(30, 2, OTHER)) is Verdict.HELD

    def test_a_lock_that_was_forgotten_starts_over(self) -> None:
        watch = Watch(TTL_S)
        self.seen(watch, [20, 30])
        watch.keep(set())
        assert watch.judge("key", look(29, 2)) is Verdict.HELD
