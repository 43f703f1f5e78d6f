"""`atectl ledger`: the memory that each principal has used and uses now."""

import time
from collections.abc import Iterable
from contextlib import closing
from typing import Annotated

import typer

from atectl.inert import inert_line
from atectl.ledger_store.damage import damage_of
from atectl.ledger_store.opening import open_for_reading
from atectl.ledger_store.overview import GroupBy, account_details, accounts_now, running_by
from atectl.ledger_store.records import HISTORY_LEASES, HISTORY_SHOWN, AccountRecord, LeaseRecord
from atectl.ledger_store.results import AccountList, LeaseList

from ..options.help import CommandGroup
from ..options.single import LedgerOption, ListOutputOption, OutputOption, RowsOption
from ..output.stderr import report_warning, say
from ..output.stdout import (
    ListOutput,
    Output,
    print_csv,
    print_json,
    print_view,
    stdout_console,
)
from .end import end
from .export import export
from .groups import show_groups
from .merge import merge
from .narrowing import Narrowing
from .options import (
    HostOption,
    LabelOption,
    PrincipalArgument,
    PrincipalOption,
    SinceOption,
    SortOption,
    WatchOption,
)
from .report import report
from .reset import reset
from .serve import serve
from .sorting import ORDER_OF, SortBy, SortLeasesBy, sort_accounts, sort_leases
from .top import top
from .usage import usage
from .watched import watch_accounts, watch_leases

RECENT_LEASES = 10

app = CommandGroup(no_args_is_help=True, help="Show and reset the ledger of memory use.")


@app.command()
def ls(
    ledger: LedgerOption = None,
    output: ListOutputOption = ListOutput.table,
    sort: SortOption = SortBy.peak,
    rows: RowsOption = None,
    host: HostOption = None,
    principal: PrincipalOption = None,
    since: SinceOption = None,
    by: Annotated[
        GroupBy, typer.Option(help="List accounts, or what runs by host or by capsule.")
    ] = GroupBy.principal,
    watch: WatchOption = False,
) -> None:
    """List the accounts: what each principal has used, and what it uses now."""
    narrowing = Narrowing(principal=principal, since=since)

    def accounts_listed() -> AccountList:
        with closing(open_for_reading(ledger)) as store:
            accounts = narrowing.accounts(accounts_now(store, host))
        accounts = sort_accounts(accounts, ORDER_OF[sort])
        return AccountList(tuple(accounts[:rows]))

    if watch:
        is_table = output in (ListOutput.table, ListOutput.wide) and by is GroupBy.principal
        raise typer.Exit(watch_accounts(accounts_listed, is_table=is_table))
    if by is not GroupBy.principal:
        with closing(open_for_reading(ledger)) as store:
            found_by = running_by(store, by, host)
        show_groups(found_by._replace(groups=found_by.groups[:rows]), by, output)
        return
    found = accounts_listed()
    _tell_damage(found.accounts)
    if output is ListOutput.json:
        print_json(found)
    elif output is ListOutput.csv:
        print_csv(found)
    elif not found.accounts:
        from .top_view import NO_ACCOUNTS

        say(NO_ACCOUNTS)
    else:
        from .view import accounts_table

        print_view(accounts_table(found.accounts, time.time()), output)


@app.command()
def ps(
    ledger: LedgerOption = None,
    output: OutputOption = Output.table,
    sort: Annotated[
        SortLeasesBy, typer.Option(help="Sort the leases by this.")
    ] = SortLeasesBy.started,
    rows: RowsOption = None,
    host: HostOption = None,
    principal: PrincipalOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
    watch: WatchOption = False,
) -> None:
    """List the unfinished leases. If its process has ended, a lease is `lost`."""
    narrowing = Narrowing(principal, label, host, since)

    def leases_listed() -> LeaseList:
        with closing(open_for_reading(ledger)) as store:
            running = narrowing.leases(store.running())
        return LeaseList(tuple(sort_leases(running, sort)[:rows]))

    if watch:
        raise typer.Exit(watch_leases(leases_listed, is_table=output is not Output.json))
    found = leases_listed()
    _tell_damage(found.leases)
    if output is Output.json:
        print_json(found)
    elif not found.leases:
        say("no running leases; `atectl ledger history` lists the finished ones")
    else:
        from .view import running_table

        view = running_table(found.leases, time.time(), ascii_only=_is_ascii_only())
        print_view(view, output)


@app.command()
def show(
    principal: PrincipalArgument,
    ledger: LedgerOption = None,
    output: OutputOption = Output.table,
    rows: Annotated[
        int, typer.Option(min=1, metavar="N", help="Show at most N recent leases.")
    ] = RECENT_LEASES,
) -> None:
    """Show one account in full, with its running and recent leases."""
    with closing(open_for_reading(ledger)) as store:
        found = account_details(store, principal, rows)
    _tell_damage((found.account, *found.running, *found.history))
    if output is Output.json:
        print_json(found)
    else:
        from .view import account_view

        print_view(account_view(found, time.time(), ascii_only=_is_ascii_only()), output)


@app.command()
def history(
    principal: PrincipalOption = None,
    ledger: LedgerOption = None,
    output: ListOutputOption = ListOutput.table,
    rows: Annotated[
        int, typer.Option(min=1, metavar="N", help="Show at most N leases.")
    ] = HISTORY_SHOWN,
    host: HostOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
) -> None:
    """List the finished and the lost leases, the newest first."""
    narrowing = Narrowing(principal, label, host, since)
    with closing(open_for_reading(ledger)) as store:
        # One more than is shown tells whether there are more.
        ended = store.history(principal, HISTORY_LEASES if narrowing.is_any else rows + 1)
    ended = narrowing.leases(ended)
    found = LeaseList(tuple(ended[:rows]))
    _tell_damage(found.leases)
    if output is ListOutput.json:
        print_json(found)
    elif output is ListOutput.csv:
        print_csv(found)
    elif not found.leases:
        # No principal has a longer name, and no message repeats what anybody may type.
        whose = "" if principal is None else f" of {inert_line(principal[:64])}"
        say(f"no finished leases{whose} yet")
    else:
        from .view import history_table

        print_view(history_table(found.leases, time.time()), output)
        if len(ended) > rows:
            say(f"these are the newest {rows}; --rows N shows more")


app.command()(top)
app.command()(usage)
app.command()(merge)
app.command()(export)
app.command()(report)
app.command()(serve)
app.command()(end)
app.command()(reset)


def _tell_damage(records: Iterable[AccountRecord | LeaseRecord]) -> None:
    """Warn of numbers that are shown as a question mark, or as null."""
    damage = damage_of(records)
    if damage is not None:
        report_warning(damage)


def _is_ascii_only() -> bool:
    return stdout_console().options.ascii_only
