"""Errors of the ledger that a sound machine does not show: E406 to E414."""

from atectl.errors import LedgerError


class LedgerForbidden(LedgerError):
    """The user may not read or write the ledger, or its file system is read-only."""

    code = "E406"
    example = "atectl run --ledger /etc/ledger.db fixtures/capsules/hello.wat"
    default_remedy = (
        "change the permissions of the file and its folder, or name another place with --ledger or "
        "ATECTL_LEDGER"
    )


class LedgerDiskFull(LedgerError):
    """There is no room for the ledger: on its disk, in a quota, or below a limit on file sizes."""

    code = "E407"
    example = "the disk that has the ledger runs full while `atectl run` goes on"
    default_remedy = "make room, or name another place with --ledger or ATECTL_LEDGER"


class LedgerLogUnreadable(LedgerError):
    """The newest entries of the ledger are in its log, which cannot be read from where it is."""

    code = "E408"
    example = "ledger.db and ledger.db-wal of a killed host, in a folder that cannot be written"
    default_remedy = (
        "copy the ledger and its -wal file into a folder that you can write, and read it there"
    )


class LedgerLeasesWait(LedgerError):
    """The server of the ledger cannot be reached: what leases used waits in a file here."""

    code = "E409"
    example = "the server of ATECTL_LEDGER=redis://... is down while `atectl run` ends"
    default_remedy = "nothing: the next run or batch with this ledger tells the server"


class LedgerLeasesDropped(LedgerError):
    """The ledger could not be reached or written for long: the oldest leases were dropped."""

    code = "E410"
    example = "the server is down while more than 10,000 leases end on one machine"
    default_remedy = "have the ledger reached again; what waits is told then"


class MetricsMissing(LedgerError):
    """What writes metrics for Prometheus is not installed."""

    code = "E411"
    example = "atectl ledger export, where prometheus_client is not installed"
    default_remedy = "pip install 'atectl[metrics]', or take --format json or csv"


class CannotListen(LedgerError):
    """The address to serve the ledger at cannot be used."""

    code = "E412"
    example = "atectl ledger serve --listen 127.0.0.1:9464, where another program listens"
    default_remedy = "name another address with --listen HOST:PORT or unix:PATH"


class LeaseNotEnded(LedgerError):
    """A lease cannot be told to end from here: it runs on another host, or for another user."""

    code = "E413"
    example = "atectl ledger end LEASE, of a lease that `atectl ledger ps` shows on another host"
    default_remedy = "end it there, with the same command"


class UnknownLease(LedgerError):
    """No lease of this id is running."""

    code = "E414"
    exit_status = 1
    example = "atectl ledger end no-such-lease"
    default_remedy = "`atectl ledger ps -o wide` shows the ids of the leases that run"
