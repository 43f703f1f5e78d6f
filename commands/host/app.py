"""`atectl host`: this machine as one of many that run jobs, and which there are."""

from typing import Annotated

import typer

from ..options.bounds import BoundOptions
from ..options.compiling import CompileOptions
from ..options.fleet import INSECURE, ON, TlsOptions
from ..options.guests import CAPTURE, CELLS, GRACE, ISOLATE, MAX_FDS, MAX_OUTPUT, POOL, REQUEUE
from ..options.help import CommandGroup
from ..options.host import HostOptions
from ..options.places import HOST_NAME
from ..options.signature import declared, with_option_groups
from ..options.single import LedgerOption, ListOutputOption
from ..output.stdout import ListOutput

app = CommandGroup(no_args_is_help=True)

DEFAULT_CAPTURE = "64KiB"

AddressArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The Dask scheduler: tcp:// or tls://HOST:PORT.")
]
ShareOption = Annotated[
    list[str] | None,
    typer.Option(
        "--share", metavar="NAME=DIR", help="Let jobs name files below it: share:NAME/PATH."
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Keep no compiled capsules.")]
InsecureOption = Annotated[bool, declared(INSECURE)]

JOIN_HELP = "\n\n".join(
    (
        "Run jobs that `atectl batch --on` submits, until told to end.",
        "The limit, the arbiter, the spill folder and the ledger are this machine's own. SIGTERM "
        "and Ctrl-C give back the jobs that have not started, and --grace to those that run; then "
        "they run elsewhere. If the scheduler goes away, the host joins again when it is back.",
        "Whoever can reach a scheduler may run code on its hosts: without TLS only one on this "
        "machine is joined, unless --insecure is given.",
        "Exit status: 0 told to end, 2 usage, 125 the host could not go on.",
    )
)


@app.callback()
def host() -> None:
    """Run jobs of batches from other machines, and see which hosts do."""


@app.command(help=JOIN_HELP)
@with_option_groups
def join(
    address: AddressArgument,
    *,
    settings: HostOptions,
    share: ShareOption = None,
    compiling: CompileOptions,
    bounds: BoundOptions,
    pool: Annotated[int, declared(POOL)] = 0,
    max_output: Annotated[str, declared(MAX_OUTPUT)] = MAX_OUTPUT.default_text,
    isolate: Annotated[str, declared(ISOLATE)] = ISOLATE.default_text,
    cells: Annotated[int | None, declared(CELLS)] = None,
    max_fds: Annotated[int, declared(MAX_FDS)] = int(MAX_FDS.default_text),
    requeue: Annotated[int, declared(REQUEUE)] = int(REQUEUE.default_text),
    capture: Annotated[str, declared(CAPTURE)] = DEFAULT_CAPTURE,
    grace: Annotated[str, declared(GRACE)] = GRACE.default_text,
    ledger: LedgerOption = None,
    host_name: Annotated[str | None, declared(HOST_NAME)] = None,
    no_cache: NoCacheOption = False,
    tls: TlsOptions,
    insecure: InsecureOption = False,
) -> None:
    """Join a scheduler; `JOIN_HELP` has the rest."""
    from .joining import Guests, join_fleet

    guests = Guests(pool, max_output, isolate, cells, max_fds, requeue, capture)
    join_fleet(
        address,
        settings,
        guests,
        compiling,
        bounds,
        shares=share or [],
        grace=grace,
        ledger=ledger,
        host_name=host_name,
        uses_cache=not no_cache,
        tls=tls,
        insecure=insecure,
    )


@app.command()
@with_option_groups
def ls(
    on: Annotated[str, declared(ON)],
    *,
    tls: TlsOptions,
    insecure: InsecureOption = False,
    output: ListOutputOption = ListOutput.table,
) -> None:
    """List the hosts of a scheduler, and how they fare."""
    from .listing import list_hosts

    list_hosts(on, tls, output, insecure=insecure)
