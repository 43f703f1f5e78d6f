"""What is known of one lock: the look at it, its verdict, its actors and its holder."""

from typing import Annotated, NamedTuple

from atectl.locks.actor_records import ActorRecord
from atectl.locks.holder_record import HolderRecord
from atectl.locks.keys import ActorName
from atectl.locks.verdicts import Look, Verdict, is_token, judge
from atectl.records.types import Mark


class Actor(NamedTuple):
    """An actor by its key's names, and its record."""

    name: Annotated[ActorName, Mark.INLINE]
    """Its name."""
    record: ActorRecord
    """What the systems that run actors have written of it."""


class Lock(NamedTuple):
    """One lock, or an actor left in the middle of an operation without one.

    `key` and `look` are None where there is no lock. `actor` is the name in the key, whatever it
    may be. `actors` are those that the lock can be of, as far as they have records: several, or one
    whose atespace is not certain, where the key leaves the atespace out. `holder` is the record
    kept beside the lock; `stale_holder` says that there was one of an earlier token. `age_s` is for
    how long it has been held, where that is known.
    """

    key: str | None
    actor: str
    atespace: str | None
    look: Look | None
    verdict: Verdict
    actors: tuple[Actor, ...] = ()
    holder: HolderRecord | None = None
    has_stale_holder: bool = False
    age_s: float | None = None

    @property
    def name(self) -> str:
        """How it is called: `ATESPACE/NAME`, or `NAME`."""
        return str(ActorName(self.atespace, self.actor))

    @property
    def is_idle(self) -> bool:
        """Its one actor is in no operation, and nothing else tells why the lock is held."""
        if len(self.actors) != 1 or self.holder is not None:
            return False
        record = self.actors[0].record
        return record.is_decodable and not record.is_transitional

    def judged(self, second: Look | None, lock_ttl_s: float) -> "Lock":
        """The lock with its verdict, from its look and a later one if there was one."""
        if self.look is None:
            return self
        verdict = judge(self.look, second, lock_ttl_s=lock_ttl_s, is_idle=self.is_idle)
        if second is None:
            return self._replace(verdict=verdict)
        if second.token != self.look.token:
            # What is known of the holder is known of the one before.
            return self._replace(look=second, verdict=verdict, holder=None, age_s=None)
        age_s = self.age_s
        if age_s is not None:
            age_s += second.received_at - self.look.received_at
        return self._replace(look=second, verdict=verdict, age_s=age_s)


def stranded(actor: Actor) -> Lock:
    """An actor that is left in the middle of an operation, listed as the lock it lacks."""
    name = actor.name
    return Lock(None, name.name, name.atespace, None, Verdict.STRANDED, (actor,))


def warnings_of(lock: Lock) -> list[str]:
    """What an operator should know about a lock, as words that `locks show` explains."""
    if lock.look is None:
        return []
    found = {
        "no-ttl": lock.look.ttl_s is None,
        "foreign-token": lock.look.token is None or not is_token(lock.look.token),
        "unfenced": lock.holder is None,
        "stale-holder-record": lock.has_stale_holder,
        "shared-name": lock.atespace is None and len(lock.actors) > 1,
        "undecodable-actor": any(not actor.record.is_decodable for actor in lock.actors),
    }
    return [word for word, holds in found.items() if holds]
