"""What a batch over many machines promises, whatever happens to hosts, scheduler and submitter."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.fleets import HELLO, SLEEP, Fleet, fleet
from tests.support.networks import HERE, OtherNetwork, needs_networks
from tests.support.program import atectl
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("fleet promises"), pytest.mark.slow]
pytest.importorskip("distributed")

TTL_S = 6


@pytest.fixture
def own() -> Iterator[Fleet]:
    """A fleet for one test, with no hosts yet."""
    with fleet() as found:
        yield found


def numbers(results: list[dict[str, Any]]) -> list[int]:
    return sorted(result["job"] for result in results)


def reasons(results: list[dict[str, Any]]) -> Counter[str]:
    return Counter(result["reason"] for result in results)


def short(label: str = "") -> dict[str, Any]:
    """A job that sleeps for some seconds, long enough to be seen, and is ended then."""
    return {**SLEEP, "deadline": "8s", "label": label}


def test_each_job_has_one_result_and_a_killed_hosts_jobs_end_elsewhere(own: Fleet) -> None:
    own.join("a", "b", jobs=2)
    batch = own.batch([*(short() for _ in range(4)), *([HELLO] * 200)])
    own.wait_until_full("a")
    own.hosts["a"].kill()
    ended = batch.end()
    results = batch.results()
    assert numbers(results) == list(range(1, 205)), ended.stderr
    assert reasons(results) == {"deadline": 4, "exited": 200}
    assert ended.status == 1
    assert {result["host"] for result in results} <= {"a", "b"}
    assert max(result["attempt"] for result in results) == 2
    assert "warning[E809]: host a is gone" in ended.stderr


def test_a_stopped_hosts_jobs_end_elsewhere_in_time_and_its_late_results_are_dropped(
    own: Fleet,
) -> None:
    own.join("a", "b", jobs=1)
    batch = own.batch([short("one"), short("two")], "--host-ttl", f"{TTL_S}s")
    own.wait_until_full("a")
    own.hosts["a"].signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    ended = batch.end()
    took_s = time.monotonic() - stopped_s
    results = batch.results()
    assert (numbers(results), reasons(results)) == ([1, 2], {"deadline": 2}), ended.stderr
    assert {result["host"] for result in results} == {"b"}
    assert took_s < TTL_S + 60
    own.hosts["a"].signal(signal.SIGCONT)
    own.wait_until_idle("a")
    own.hosts["b"].kill()
    again = own.batch([HELLO])
    assert again.end().status == 0
    assert [result["host"] for result in again.results()] == ["a"]


@needs_networks
def test_a_host_that_is_cut_off_loses_no_job_and_goes_on_when_it_is_back() -> None:
    with OtherNetwork() as other, fleet(listen="0.0.0.0", known_as=HERE) as found:
        found.join("a", jobs=1, words=["--insecure"], before=other.inside)
        found.join("b", jobs=1, words=["--insecure"])
        words = ("--insecure", "--host-ttl", f"{TTL_S}s")
        batch = found.batch([short("one"), short("two")], *words)
        found.wait_until_full("a")
        other.cut()
        ended = batch.end()
        results = batch.results()
        assert (numbers(results), reasons(results)) == ([1, 2], {"deadline": 2}), ended.stderr
        assert {result["host"] for result in results} == {"b"}
        other.mend()
        found.wait_until_idle("a")
        found.hosts["b"].kill()
        again = found.batch([HELLO], *words)
        assert again.end().status == 0
        assert [result["host"] for result in again.results()] == ["a"]


@needs_networks
def test_a_submitter_that_reaches_the_scheduler_alone_is_served_through_it() -> None:
    with OtherNetwork() as other, fleet(listen="0.0.0.0", known_as=HERE) as found:
        # This host listens on the loopback address, which is another one there.
        found.join("a", address=f"tcp://127.0.0.1:{found.port}")
        batch = found.batch([HELLO] * 50, "--insecure", before=other.inside)
        assert batch.end().status == 0
        assert numbers(batch.results()) == list(range(1, 51))


def test_a_job_that_takes_three_hosts_along_is_not_tried_again_and_no_other_is_blamed(
    own: Fleet,
) -> None:
    innocent = {**SLEEP, "deadline": "2s"}
    batch = own.batch([SLEEP, innocent, innocent, HELLO])
    for name in ("a", "b", "c"):  # the others wait there behind the first
        own.join(name, jobs=1)
        own.wait_until_full(name)
        own.hosts[name].kill()
        own.wait_for(lambda hosts: name not in hosts)  # noqa: B023 - waited for here
    own.join("d", jobs=1)
    ended = batch.end()
    lost, *others = sorted(batch.results(), key=lambda result: int(result["job"]))
    assert (lost["reason"], lost["exit_status"], lost["attempt"]) == ("host-lost", 125, 3)
    assert lost["error"]["code"] == "E803"
    assert [result["reason"] for result in others] == ["deadline", "deadline", "exited"]
    assert {result["host"] for result in others} == {"d"}, ended.stderr


def test_sigterm_drains_a_host_whose_running_jobs_have_their_grace(own: Fleet) -> None:
    [host, _] = [*own.join("a", jobs=1, words=["--grace", "60s"]), *own.join("b", jobs=1)]
    batch = own.batch([short() for _ in range(3)])
    own.wait_until_full("a")
    host.signal(signal.SIGTERM)
    assert host.process.wait(60) == 0, host.said()
    ended = batch.end()
    results = batch.results()
    assert (numbers(results), reasons(results)) == ([1, 2, 3], {"deadline": 3}), ended.stderr
    assert {result["attempt"] for result in results} == {1}
    assert "E809" not in ended.stderr


def test_a_host_without_grace_gives_back_what_runs(own: Fleet) -> None:
    [host] = own.join("a", jobs=1, words=["--grace", "none"])
    batch = own.batch([short()])
    own.wait_until_full("a")
    host.signal(signal.SIGTERM)
    assert host.process.wait(60) == 0, host.said()
    own.join("b", jobs=1)
    ended = batch.end()
    [result] = batch.results()
    assert (result["host"], result["reason"]) == ("b", "deadline"), ended.stderr
    assert result["attempt"] == 2


def test_jobs_that_wait_at_one_host_are_taken_back_for_one_that_joins(own: Fleet) -> None:
    own.join("a", jobs=1)
    batch = own.batch([SLEEP] * 4)
    own.wait_for(lambda hosts: hosts["a"].waiting == 3)
    own.join("b", jobs=1)
    own.wait_until_full("b")
    batch.process.send_signal(signal.SIGINT)
    ended = batch.end()
    results = batch.results()
    assert Counter(result["host"] for result in results)["b"] > 0, ended.stderr
    assert {result["attempt"] for result in results} == {1}


def test_a_second_signal_ends_a_host_at_once(own: Fleet) -> None:
    [host] = own.join("a", jobs=1, words=["--grace", "1h"])
    batch = own.batch([SLEEP])
    own.wait_until_full("a")
    host.signal(signal.SIGINT)
    wait_until(lambda: "leaving" in host.said())
    host.signal(signal.SIGINT)
    assert host.process.wait(30) == 143
    batch.process.kill()
    batch.process.wait(30)


def test_without_its_scheduler_a_batch_says_so_and_is_finished_by_resuming(own: Fleet) -> None:
    own.join("a", jobs=1)
    jobs = [*([HELLO] * 5), short("late")]
    batch = own.batch(jobs)
    wait_until(lambda: len(batch.results()) == 5)
    own.kill_scheduler()
    ended = batch.end()
    assert ended.status == 125
    assert "error[E802]" in ended.stderr
    assert "E809" not in ended.stderr  # nothing is wrong with the host
    assert "--resume-from" in ended.stderr
    assert numbers(batch.results()) == [1, 2, 3, 4, 5]
    own.start_scheduler()
    wait_until(lambda: own.hosts["a"].said().count("joined") == 2)
    rest = own.batch(jobs, "--resume-from", str(batch.stdout))
    ended = rest.end()
    assert [result["label"] for result in rest.results()] == ["late"], ended.stderr
    assert "5 done before" in ended.stderr


def test_ctrl_c_ends_the_guests_on_every_host_and_leaves_nothing_in_a_queue(own: Fleet) -> None:
    own.join("a", "b", jobs=1)
    batch = own.batch([SLEEP] * 30)
    own.wait_until_full("a", "b")
    batch.process.send_signal(signal.SIGINT)
    ended = batch.end()
    assert ended.status == 130, ended.stderr
    assert reasons(batch.results()) == {"interrupted": 2}
    wait_until(lambda: all(h.running == h.waiting == 0 for h in own.ls().values()), seconds=10)


def test_a_host_ends_the_jobs_of_a_submitter_that_was_killed(own: Fleet) -> None:
    own.join("a", jobs=1)
    batch = own.batch([SLEEP] * 3, "--host-ttl", f"{TTL_S}s")
    own.wait_until_full("a")
    batch.process.kill()
    batch.process.wait(30)
    own.wait_until_idle("a")


HOSTILE = (
    *("escapes", "never-stops-growing", "stack-overflow", "table-hog", "out-of-bounds", "trap"),
    *("uncaught-exception", "start-never-ends", "exit-code-256", "missing-import"),
)


def test_a_hostile_capsule_comes_to_the_same_on_a_host_as_on_one_machine(own: Fleet) -> None:
    jobs = [
        {"capsule": str(CAPSULES / f"{name}.wat"), "deadline": "1s", "max_mem": "8MiB"}
        for name in HOSTILE
    ]
    own.join("a")
    batch = own.batch(jobs)
    lines = own.folder / "alone"
    lines.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    alone = atectl("batch", lines, "--ledger", "none", "-o", "json")
    batch.end()
    assert _told(batch.results()) == _told(map(json.loads, alone.stdout.splitlines()))


def _told(results: Iterable[dict[str, Any]]) -> dict[int, tuple[object, ...]]:
    """What each job came to, but for what it took."""
    return {
        result["job"]: (
            result["reason"],
            result["exit_status"],
            result["refused_growths"],
            None if result["error"] is None else result["error"]["code"],
            None if result["trap"] is None else result["trap"]["name"],
        )
        for result in results
    }


def test_what_a_guest_writes_is_in_its_own_result_and_nowhere_else(own: Fleet) -> None:
    own.join("a", jobs=1)
    forged = '{"job":2,"reason":"exited","exit_status":0}\n'
    echo = {"capsule": str(CAPSULES / "args.wat"), "args": [forged], "label": "forger"}
    batch = own.batch([echo, {**HELLO, "label": "other"}], "--capture", "1KiB")
    ended = batch.end()
    first, second = sorted(batch.results(), key=lambda result: int(result["job"]))
    assert forged in first["stdout"]["text"], ended.stderr
    assert (first["job"], first["label"], second["label"]) == (1, "forger", "other")
