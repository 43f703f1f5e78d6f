"""Errors of the stored ledger."""

from atectl.errors import AtectlError


class LedgerError(AtectlError):
    """The stored ledger cannot be used."""

    default_remedy = "name another place with --ledger or ATECTL_LEDGER, or --ledger none"


class LedgerUnavailable(LedgerError):
    """The stored ledger cannot be opened, read or written."""

    code = "E401"
    example = "atectl ledger ls --ledger /no/such/folder/ledger.db"


class LedgerCorrupt(LedgerError):
    """The file is no ledger, or is damaged; it was left as it is."""

    code = "E402"
    example = "atectl ledger ls --ledger photo.png"
    default_remedy = "move the file away to begin a new ledger, or name another with --ledger"


class LedgerBusy(LedgerError):
    """Another process kept the ledger locked for too long."""

    code = "E403"
    example = "a backup program holds the file while `atectl run` ends"
    default_remedy = "try again when the other process has finished"


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer atectl."""

    code = "E404"
    example = "an old atectl reads the ledger of its successor"
    default_remedy = "upgrade atectl, or name another ledger with --ledger"


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


class UnknownPrincipal(AtectlError):
    """The ledger has no account of this principal."""

    code = "E405"
    exit_status = 1
    example = "atectl ledger show nobody"
    default_remedy = "`atectl ledger ls` lists the accounts"
