"""What goes wrong with actor locks: E114 to E116, and E520 to E546."""

from atectl.errors import AtectlError, UsageError

# Naming an actor


class BadActor(UsageError):
    """What should name an actor does not."""

    code = "E114"
    example = "atectl locks show 'My Actor'"
    default_remedy = "write ATESPACE/NAME, NAME or the key of its lock; names are a-z, 0-9 and -"


class AmbiguousActor(UsageError):
    """The name stands for more than one lock."""

    code = "E115"
    example = "atectl locks release web, where two atespaces have an actor of that name"
    default_remedy = "name one of the keys listed, in full"


class TokenNeeded(UsageError):
    """Going ahead without being asked takes the token of the lock that is meant."""

    code = "E116"
    example = "atectl locks release demo/web --yes"
    default_remedy = "pass --token TOKEN, as `atectl locks show` shows it"


# Looking and releasing


class UnknownLock(AtectlError):
    """There is neither a lock nor a record of this actor."""

    code = "E520"
    exit_status = 1
    example = "atectl locks show demo/nobody"
    default_remedy = "`atectl locks ls` lists the locks"


class LockRenewing(AtectlError):
    """The lock's holder is alive, or was not watched long enough to tell."""

    code = "E521"
    exit_status = 1
    example = "atectl locks release demo/web, while its holder works"
    default_remedy = (
        "let it finish; --force releases it all the same, and its work goes on unguarded"
    )


class LockChanged(AtectlError):
    """The lock is no longer the one that was seen; nothing was released."""

    code = "E522"
    exit_status = 1
    example = "another holder takes the lock while the question is on the screen"
    default_remedy = "look again: `atectl locks show ACTOR`"


class AuditUnwritable(AtectlError):
    """No audit record could be written, so nothing was released."""

    code = "E523"
    example = "the disk is full, and the user may not write to Redis"
    default_remedy = "make the state folder writable, or XDG_STATE_HOME another one"


class AuditUnreadable(AtectlError):
    """The file of audit records cannot be read."""

    code = "E524"
    example = "the file belongs to another user"
    default_remedy = "run it as the user whose file it is"


# Holding a lock


class LockBusy(AtectlError):
    """Somebody else holds the actor's lock; nothing was run."""

    code = "E540"
    exit_status = 75
    example = "atectl locks hold demo/web -- ./deploy.sh, while another deploys"
    default_remedy = "wait for it: `locks hold --wait 30s`, or `run --lock-wait 30s`"


class LockLost(AtectlError):
    """The actor's lock was lost, or could have been, and the work under it was ended."""

    code = "E541"
    example = "the server does not answer for 20 s while a lock of 30 s is held"
    default_remedy = (
        "look at what the work has done so far, and who holds the lock now: "
        "`atectl locks show ACTOR`"
    )


class LockDeadline(AtectlError):
    """The command under the lock was still running at its deadline and was ended."""

    code = "E542"
    exit_status = 124
    example = "atectl locks hold --deadline 1s demo/web -- sleep 60"
    default_remedy = "raise --deadline, or lift it with --deadline none"


class BadLockTtl(UsageError):
    """A lock's TTL is too short to be renewed in time, or too long to be a lease."""

    code = "E545"
    example = "atectl locks hold --ttl 1ms demo/web -- true"
    default_remedy = "30s is what other holders of actor locks use"
