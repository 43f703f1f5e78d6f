"""Locks as they are listed, for tests of what shows them."""

from typing import Any

from atectl.locks.actor_records import ActorRecord
from atectl.locks.charged import ChargedLock
from atectl.locks.holder_record import HolderRecord
from atectl.locks.keys import ActorName
from atectl.locks.lock import Actor, Lock
from atectl.locks.verdicts import Look, Verdict
from tests.support.lock_examples import token

MIB = 1 << 20


def actor(status: str = "RESUMING", name: str = "web", atespace: str = "demo") -> Actor:
    """An actor on a worker."""
    record = ActorRecord(
        status, name=name, atespace=atespace, pod_namespace="ate-demo", pod="pool-a-7d9f"
    )
    return Actor(ActorName(atespace, name), record._replace(version="4", pool="pool-a"))


def row(name: str = "web", verdict: Verdict = Verdict.HELD, **changes: Any) -> ChargedLock:
    """A lock of the atespace `demo` with 20 s left, but for `changes`."""
    memory = {key: changes.pop(key) for key in ChargedLock._fields[1:] if key in changes}
    lock = Lock(
        key=f"lock:actor:demo:{name}",
        actor=name,
        atespace="demo",
        look=Look(token(1), 20.0, 0.0, 0.0),
        verdict=verdict,
        actors=(actor(name=name),),
    )
    return ChargedLock(lock._replace(**changes), **memory)


HOLDER = HolderRecord(
    token=token(1),
    fence=12,
    host="node-9",
    pid=4711,
    command="migrate --to node-4",
    principal="render-farm",
    since=1_790_000_000.0,
    deadline=1_790_000_300.0,
)

ROWS = [
    row(
        "trainer",
        Verdict.RENEWING,
        holder=HOLDER,
        age_s=125.0,
        principal="render-farm",
        current_bytes=97 * MIB,
        peak_bytes=640 * MIB,
    ),
    row("reports", Verdict.EXPIRING, look=Look(token(2), 3.2, 0, 0)),
    row("batch", Verdict.STUCK, look=Look(token(3), None, 0, 0), actors=()),
    row("scratch", Verdict.FOREIGN, look=Look("\x1b[31mby hand", 600.0, 0, 0), actors=()),
    row("crawler", Verdict.STRANDED, key=None, look=None, actors=(actor("DELETING"),)),
    row("mailer", Verdict.FINISHING, actors=(actor("RUNNING"),)),
    row(
        "web",
        key="lock:actor:web",
        atespace=None,
        actors=(actor(), actor("RUNNING", atespace="prod")),
    ),
    row(
        "a-name-that-is-as-long-as-a-label-may-be-which-is-63-characters",
        holder=HolderRecord(token=token(1), host="\x1b]0;title\x07", pid=1, command="[bold]日本語"),
    ),
]
