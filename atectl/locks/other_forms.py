"""Locks of one actor under different keys: the older form of a key leaves the atespace out.

Whoever holds the one form does not exclude who holds the other.
"""

from typing import TYPE_CHECKING

from atectl.locks.errors import OtherFormHeld
from atectl.locks.keys import OtherForms, actor_of_lock, key_text
from atectl.redis.reading import Reading

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


def refuse_others(connection: "RedisConnection", actor: str, forms: OtherForms) -> None:
    """Raise an error if the actor's lock is held in another form.

    Args:
        connection: where the locks are.
        actor: whose lock was taken, for the message.
        forms: the other forms of its key.

    Raises:
        OtherFormHeld: it is (exit 75).
        AtectlError: whether it is cannot be found out (exit 125).
    """
    held = [key for key in forms.keys if connection.client.execute_command("EXISTS", key)]
    if forms.pattern:
        found = map(key_text, Reading(connection).scan_keys(forms.pattern))
        held += sorted(key for key in found if actor_of_lock(key, forms.prefix) is not None)
    if held:
        others = " and ".join(held[:3]) + (" and more" if len(held) > 3 else "")
        raise OtherFormHeld(
            f"{others} is held, too, which may be the lock of the same actor as {actor}"
        )
