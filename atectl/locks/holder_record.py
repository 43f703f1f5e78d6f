"""The record that atectl keeps beside a lock it holds: who holds it, since when, and for what.

It is a Redis hash with the TTL of the lock. It is meant for people: no decision depends on it.
"""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from atectl.units import Moment

MAX_COMMAND_CHARACTERS = 200


class Holder(NamedTuple):
    """Who takes a lock, as the record will say. `principal` is empty if nobody is charged."""

    host: str
    pid: int
    command: str
    principal: str = ""

    def fields(self) -> dict[str, str]:
        """The fields for the script that takes the lock. It adds the others itself."""
        return {
            "host": self.host,
            "pid": str(self.pid),
            "command": self.command[:MAX_COMMAND_CHARACTERS],
            "principal": self.principal,
        }


def own_holder(command: str, principal: str = "") -> Holder:
    """This process as the holder of a lock, for a command on behalf of a principal."""
    return Holder(os.uname().nodename, os.getpid(), command, principal)


class HolderRecord(NamedTuple):
    """A holder record as it was found; null is what is not there, or cannot be read."""

    token: str | None = None
    """The token of the lock."""
    fence: int | None = None
    """The number of this holder, which rises with every holder."""
    host: str | None = None
    """The machine that the work is done on."""
    pid: int | None = None
    """The process that does it."""
    command: str | None = None
    """What it runs."""
    principal: str | None = None
    """Whose work it is."""
    since: Moment | None = None
    """When it took the lock, by the server's clock."""
    deadline: Moment | None = None
    """When the work has to have ended, by the server's clock."""


def parse_holder(fields: Mapping[bytes, bytes]) -> HolderRecord | None:
    """The holder record in a hash; None if the hash is empty. Never raises.

    Anybody can have written the record, so its text may contain terminal controls.
    """
    if not fields:
        return None
    text = {key.decode("utf-8", "replace"): value for key, value in fields.items()}

    def read(name: str) -> str | None:
        return text[name].decode("utf-8", "replace") if text.get(name) else None

    return HolderRecord(
        token=read("token"),
        fence=_whole(read("fence")),
        host=read("host"),
        pid=_whole(read("pid")),
        command=read("command"),
        principal=read("principal"),
        since=_instant(read("since")),
        deadline=_instant(read("deadline")),
    )


def pairs(flat: Iterable[bytes]) -> dict[bytes, bytes]:
    """A hash, made of its fields and values in turn, as scripts return it."""
    each = iter(flat)
    return dict(zip(each, each, strict=True))


def _whole(text: str | None) -> int | None:
    is_number = text is not None and len(text) <= 19 and text.isascii() and text.isdigit()
    return int(text) if text is not None and is_number else None


def _instant(text: str | None) -> float | None:
    try:
        instant = float(text or "")
    except ValueError:
        return None
    # Times after the year 9999 cannot be shown.
    return instant if 0 <= instant < 253_402_300_800 else None
