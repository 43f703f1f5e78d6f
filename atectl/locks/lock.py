"""What is known of one lock: the look at it, its verdict, its actors and its holder."""

from typing import Annotated, NamedTuple

from atectl.locks.actor_records import ActorRecord
from atectl.locks.holder_record import HolderRecord
from atectl.locks.keys import ActorName
from atectl.locks.verdicts import Look, Verdict, is_token, judge
from atectl.records.types import Mark


class Actor(NamedTuple):
    """An actor, by the names in its key, with its record."""

    name: Annotated[ActorName, Mark.INLINE]
    """Its name."""
    record: ActorRecord
    """What the systems that run actors have written of it."""


class Lock(NamedTuple):
    """One lock, or an actor that is stranded: in the middle of an operation without a lock.

    Attributes:
        key: of the lock; None if there is no lock.
        actor: the name in the key, whatever it is.
        atespace: the atespace in the key; None if an older key leaves it out.
        look: the latest look at the lock; None if there is no lock.
        verdict: what the lock is found to be.
        actors: the actors on record that the lock can belong to. If the key leaves the atespace
            out, these can be several, or one of another atespace.
        holder: the record beside the lock, if it has the same token.
        has_stale_holder: there is a record beside the lock, but with an earlier token.
        age_s: for how long the lock has been held, in seconds; None if that is not known.
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
        """`ATESPACE/NAME`, or `NAME` if the atespace is not known."""
        return str(ActorName(self.atespace, self.actor))

    @property
    def is_idle(self) -> bool:
        """Whether it has one actor, in no operation, and no record that says why it is held."""
        if len(self.actors) != 1 or self.holder is not None:
            return False
        record = self.actors[0].record
        return record.is_decodable and not record.is_transitional

    def judged(self, second: Look | None, lock_ttl_s: float) -> "Lock":
        """The lock with its verdict by its look and a second one, if there was a second."""
        if self.look is None:
            return self
        verdict = judge(self.look, second, lock_ttl_s=lock_ttl_s, is_idle=self.is_idle)
        if second is None:
            return self._replace(verdict=verdict)
        if second.token != self.look.token:
            # What was known of the holder was about the one before.
            return self._replace(look=second, verdict=verdict, holder=None, age_s=None)
        age_s = self.age_s
        if age_s is not None:
            age_s += second.received_at - self.look.received_at
        return self._replace(look=second, verdict=verdict, age_s=age_s)


def stranded(actor: Actor) -> Lock:
    """A stranded actor, listed in place of the lock that it lacks."""
    name = actor.name
    return Lock(None, name.name, name.atespace, None, Verdict.STRANDED, (actor,))


def warnings_of(lock: Lock) -> list[str]:
    """What an operator should know about a lock: words that `locks show` explains."""
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
