"""`atectl batch --dry-run`: the jobs as they would be run, and none is."""

from collections.abc import Callable, Iterable

from atectl.batch.planned import planned_jobs
from atectl.budget.jobs import Submission

from ..output.stdout import Output, print_json, print_view


def list_jobs(
    submissions: Iterable[Submission], was_done: Callable[[Submission], bool], output: Output
) -> int:
    """Print what would become of each job; 1 if some would be refused, else 0."""
    found = planned_jobs(submissions, was_done)
    if output is Output.json:
        print_json(found)
    else:
        from .dry_run_view import planned_table

        print_view(planned_table(found.jobs), output)
    return int(any(each.error is not None for each in found.jobs))
