"""Why jobs failed: in a line for each, and for a whole batch by reason."""

from atectl.batch.lines import OutputFacts, ResultLine
from atectl.commands.batch.failures import Failures, why
from atectl.records.errors import ErrorFacts
from tests.support.result_lines import result_line


def failed(job: int, said: str | None = None, label: str = "", **changes: object) -> ResultLine:
    stderr = None if said is None else OutputFacts(said, None, len(said))
    result = result_line(job, "exited", 3, label=label)
    return result._replace(stderr=stderr, **changes)  # type: ignore[arg-type]


def lines(*results: ResultLine) -> list[str]:
    failures = Failures()
    for result in results:
        failures.add(result)
    return failures.lines()


def test_the_last_line_of_its_stderr_tells_why_a_job_failed() -> None:
    assert why(failed(1, "Traceback\n  line 1\nValueError: bad\n\n")) == "ValueError: bad"


def test_its_error_goes_before_what_it_said() -> None:
    error = ErrorFacts("E303", "the guest trapped", "")
    assert why(failed(1, "well\n", error=error)) == "E303: the guest trapped"


def test_of_a_job_that_said_nothing_or_succeeded_nothing_is_told() -> None:
    assert why(failed(1)) == why(failed(1, "\n \n")) == ""
    said = OutputFacts("a warning\n", None, 10)
    assert why(result_line()._replace(stderr=said)) == ""


def test_what_a_guest_said_is_inert() -> None:
    assert why(failed(1, "\x1b[31mred\n")) == "\\x1b[31mred"


def test_failures_are_grouped_by_reason_the_most_frequent_first() -> None:
    assert lines(failed(1, "odd\n"), *(failed(n, "bad\n", f"n{n}") for n in range(2, 7))) == [
        "    5 × exited 3: bad  (n2, n3, n4, +2 more)",
        "    1 × exited 3: odd  (job 1)",
    ]


def test_errors_of_lines_that_differ_by_their_place_alone_are_one_reason() -> None:
    errors = [ErrorFacts("E330", f"line {n}: it is no object", "") for n in (3, 17)]
    assert lines(*(failed(n, error=error) for n, error in enumerate(errors))) == [
        "    2 × E330: it is no object  (job 0, job 1)"
    ]


def test_many_reasons_are_counted_and_the_most_frequent_shown() -> None:
    told = lines(*(failed(n, f"reason {n}\n") for n in range(2_000)))
    assert len(told) == 11
    assert told[0] == " 1000 × other reasons  (job 1000, job 1001, job 1002, +997 more)"
    assert told[-1] == "  991 × 991 other reasons"
