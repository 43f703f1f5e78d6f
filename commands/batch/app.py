"""`atectl batch` as Typer knows it: for help and completions, made from the table of options."""

from atectl.budget.jobs import JOB

from ..options.table_command import TableCommand
from ..options.typer_forms import typer_argument, typer_option
from .arguments import TABLE

KEYS_OF_A_JOB = ", ".join(JOB.keys)

HELP = "\n\n".join(
    (
        "Run many capsules under one limit.",
        "FILE is a budget file with job tables, or has a job a line, each a JSON object; - reads "
        f"such lines from stdin. Keys of a job: {KEYS_OF_A_JOB}; only capsule is required. "
        "Relative paths begin at the folder of a budget file, and for lines at the current one. "
        "A job's output is discarded unless it names a file for it; each job overwrites its "
        "files, so give every job its own files. No link is followed to a file or folder of a job, "
        "unless this user cannot have made it.",
        "Each result is one line of JSON on stdout as the job ends.",
        "Exit status: 0 all succeeded, 1 some failed, 2 usage, 125 the host could not go on, "
        "130 interrupted, 143 terminated, 141 nobody reads the results any more.",
    )
)


def _run(words: list[str]) -> int:
    # Help and completions load every command, and need nothing of what runs this one.
    from .starting import batch

    return batch(words)


app = TableCommand(
    "batch",
    TABLE,
    _run,
    params=[
        typer_argument("source", "FILE|-", says="Where the jobs are."),
        *(typer_option(option) for option in TABLE.options),
    ],
    help=HELP,
)
