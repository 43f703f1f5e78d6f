"""`atectl batch`: many capsules under one limit, from a file or from lines on stdin."""

from pathlib import Path
from typing import Annotated

import typer

from .batch_options import Backpressure, BatchRequest, HostOptions, PolicyName
from .ledger_options import LedgerOption
from .output import Output

app = typer.Typer(add_completion=False)

KEYS_OF_A_JOB = (
    "capsule, args, env, dirs, principal, max_mem, priority, deadline, label, invoke, "
    "stdin, stdout, stderr"
)


@app.command(
    help="Run many capsules under one limit.\n\n"
    "FILE is a budget file with job tables; - reads jobs from stdin, a JSON object a line. "
    f"Keys of a job: {KEYS_OF_A_JOB}; only capsule is required. Relative paths begin at the "
    "file's folder, or at the current one for stdin. A job's output is discarded unless it "
    "names a file for it.\n\n"
    "Each result is one line of JSON on stdout as the job ends.\n\n"
    "Exit status: 0 all succeeded, 1 some failed, 2 usage, 125 the host could not go on, "
    "130 interrupted, 143 terminated."
)
def batch(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="Where the jobs are.")],
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            max=4096,
            metavar="N",
            help="How many run at once; as many as cores.",
        ),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Most memory of this whole process; 0.9 of the machine's."
        ),
    ] = None,
    soft: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="Share of the limit to hold back at; 0.8."),
    ] = None,
    resume: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="Share of the limit to go on below; 0.7."),
    ] = None,
    backpressure: Annotated[
        Backpressure | None, typer.Option(help="What is done to leases above soft; both.")
    ] = None,
    policy: Annotated[
        PolicyName | None, typer.Option(help="Whom it is done to; else as the backpressure says.")
    ] = None,
    spill_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where memory is spilled, on a real disk; /var/tmp."),
    ] = None,
    spill_cap: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Most that may be spilled; what the disk has."),
    ] = None,
    pool: Annotated[
        int, typer.Option(min=0, metavar="N", help="Idle stores kept of a reactor and principal.")
    ] = 0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going/--fail-fast", help="Start more jobs after a failure.")
    ] = True,
    resume_from: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Skip jobs that succeeded in these results."),
    ] = None,
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="Time to finish when terminated.")
    ] = "5s",
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record events and decisions.")
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw memory over time as SVG.")
    ] = None,
    ledger: LedgerOption = None,
    live: Annotated[
        bool | None, typer.Option("--live/--no-live", help="Show the live table, on a terminal.")
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep compiled capsules.")
    ] = True,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="JSON lines, or a table.")
    ] = Output.json,
) -> None:
    from .batch_run import run_batch

    options = HostOptions(jobs, limit, soft, resume, backpressure, policy, spill_dir, spill_cap)
    request = BatchRequest(
        source=source,
        options=options,
        pool=pool,
        fails_fast=not keep_going,
        resume_from=resume_from,
        grace=grace,
        trace=trace,
        chart=chart,
        ledger=ledger,
        live=live,
        uses_cache=cache,
        output=output,
    )
    raise typer.Exit(run_batch(request))
