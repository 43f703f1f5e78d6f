"""What a host keeps for a submitter: results are told until they are known to have come."""

import pytest

from atectl.batch.fleet import session as module
from atectl.batch.fleet.session import Running, Session


@pytest.fixture
def session() -> Session:
    return Session("s1", 60.0)


def run(session: Session, *numbers: int) -> None:
    for here, number in enumerate(numbers, start=100):
        assert session.begin(here, Running(number, "sha", 0.0))


def end(session: Session, *numbers: int) -> None:
    for here, job in list(session.jobs.items()):
        if job.number in numbers:
            del session.jobs[here]
            session.put(job.number, f'"{job.number}"')


def test_results_are_told_again_until_they_are_acknowledged(session: Session) -> None:
    run(session, 1, 2)
    end(session, 1, 2)
    assert session.told() == (2, ['"1"', '"2"'], [], [])
    assert session.told() == (2, ['"1"', '"2"'], [], [])
    session.acknowledge(1)
    assert session.told() == (2, ['"2"'], [], [])
    session.acknowledge(2)
    assert session.told() == (0, [], [], [])
    assert session.is_told


def test_a_job_that_comes_twice_runs_once_until_its_result_is_known_to_have_come(
    session: Session,
) -> None:
    run(session, 1)
    assert not session.begin(7, Running(1, "sha", 0.0))
    end(session, 1)
    assert not session.begin(7, Running(1, "sha", 0.0))
    session.acknowledge(session.told().last)
    assert session.begin(7, Running(1, "sha", 0.0))


def test_a_job_that_was_given_back_may_come_again(session: Session) -> None:
    run(session, 1)
    session.jobs.clear()
    session.give_back([1])
    assert session.told() == (1, [], [1], [])
    run(session, 1)


def test_a_job_that_came_again_after_it_was_given_back_runs_once(session: Session) -> None:
    run(session, 1)
    session.jobs.clear()
    session.give_back([1])
    run(session, 1)
    session.acknowledge(session.told().last)
    assert not session.begin(7, Running(1, "sha", 0.0))


def test_what_goes_back_is_told_again_until_it_is_acknowledged_and_so_is_what_was_cut(
    session: Session,
) -> None:
    run(session, 1, 2, 3)
    session.jobs.clear()
    session.give_back([1])
    session.cut(2)
    session.put(3, '"3"')
    assert session.told() == (3, ['"3"'], [1], [2])
    assert session.wait_s(is_busy=False) is None
    session.acknowledge(1)
    assert not session.is_told
    assert session.wait_s(is_busy=False) is not None
    assert session.told() == (3, ['"3"'], [], [2])
    session.acknowledge(3)
    assert session.is_told
    assert session.wait_s(is_busy=False) is None


def test_a_message_that_comes_again_is_answered_as_before_and_changes_no_more(
    session: Session,
) -> None:
    deeds: list[int] = []

    def do() -> dict[str, int]:
        deeds.append(len(deeds))
        return {"deed": deeds[-1]}

    asked = [("put", 1), ("put", 1), ("recall", 2), ("put", 3), ("put", 1)]
    assert [session.once(*each, do)["deed"] for each in asked] == [0, 0, 1, 2, 2]


def test_there_is_nothing_to_wait_for_before_there_is_something(session: Session) -> None:
    assert session.wait_s(is_busy=True) is None
    run(session, 1)
    end(session, 1)
    busy, idle = session.wait_s(is_busy=True), session.wait_s(is_busy=False)
    assert busy is not None
    assert idle is not None
    assert idle <= module.LEAST_GATHER_S < busy <= module.GATHER_S


def test_a_full_message_is_not_held_back(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 2)
    run(session, 1, 2)
    end(session, 1, 2)
    full = session.wait_s(is_busy=True)
    assert full is not None
    assert full <= module.LEAST_GATHER_S


def test_a_result_is_news_only_if_there_was_nothing_to_tell(session: Session) -> None:
    run(session, 1, 2, 3)
    assert session.put(1, "1")
    assert not session.put(2, "2")
    session.told()
    assert session.put(3, "3")


def test_no_more_is_told_at_once_than_fits_a_message(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES_AT_ONCE", 5)
    run(session, *range(1, 6))
    end(session, *range(1, 6))
    told = session.told()
    assert (told.last, len(told.results)) == (2, 2)
    assert session.wait_s(is_busy=True) == 0


def test_a_submitter_is_silent_after_its_time() -> None:
    session = Session("s1", -1.0)
    assert session.is_silent
    assert not Session("s1", 60.0).is_silent


def test_a_submitter_that_was_heard_is_not_silent(session: Session) -> None:
    session.heard_s -= 61.0
    assert session.is_silent
    session.hear()
    assert not session.is_silent


def test_a_job_that_was_cut_short_may_come_again(session: Session) -> None:
    run(session, 1)
    session.jobs.clear()
    session.cut(1)
    run(session, 1)
