"""Sample locks for trying the commands: laid into a test server, and removed from it.

They are the lines of JSON in the folder `samples`, a key each. A key that holds anything but its
sample is neither overwritten nor removed, and nothing is laid where it could be in anybody's way.
"""

import base64
import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from atectl.locks.errors import SamplesRefused
from atectl.locks.scripts import source_of
from atectl.redis.connection import RedisConnection
from atectl.redis.errors import nonsense
from atectl.redis.settings import Address

FOLDER = Path(__file__).parent / "samples"

_NOTHING, _SAMPLE, _OTHER = b"nothing", b"sample", b"other"


class Sample(NamedTuple):
    """One key with what it holds."""

    key: str
    kind: Literal["string", "hash"]
    words: tuple[str | bytes, ...]
    """The text; of a hash, each field and its value in turn."""
    ttl_ms: int
    """0 for a key that never expires."""


class Removed(NamedTuple):
    """What came of removing the samples."""

    key_count: int
    """How many keys were removed."""
    left: tuple[str, ...]
    """Keys that hold something else by now, and so were left alone."""


def samples() -> Iterator[Sample]:
    """Every sample."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            each = json.loads(line)
            key, ttl_ms = each["key"], each.get("ttl_ms", 0)
            if "hash" in each:
                words = tuple(word for pair in each["hash"].items() for word in pair)
                yield Sample(key, "hash", words, ttl_ms)
            elif "base64" in each:
                yield Sample(key, "string", (base64.b64decode(each["base64"]),), ttl_ms)
            else:
                yield Sample(key, "string", (each["value"],), ttl_ms)


def lay_samples(connection: RedisConnection, *, is_forced: bool = False) -> int:
    """Lay the samples, each with its whole TTL; those that are there already are laid anew.

    Args:
        is_forced: also on another machine, and beside keys of others.

    Returns:
        How many keys were laid.

    Raises:
        SamplesRefused: nothing was laid: the server is not on this machine, has other keys, or one
            of them has the place of a sample, which is refused even if forced (exit 1).
        RedisFailure: the server cannot be asked (exit 125).
    """
    own = list(samples())
    if not is_forced:
        _require_this_machine(connection)
    there = 0
    for sample in own:
        found = _carry_out(connection, "look", sample)
        if found == _OTHER:
            raise SamplesRefused(
                f"{sample.key} is on this server already, and is no sample",
                remedy="take a server of your own: samples overwrite nothing",
            )
        there += found == _SAMPLE
    if not is_forced:
        _require_empty(connection, there)
    for sample in own:
        _carry_out(connection, "lay", sample)
    return len(own)


def remove_samples(connection: RedisConnection) -> Removed:
    """Remove the samples that are still as they were laid.

    Raises:
        RedisFailure: the server cannot be asked (exit 125).
    """
    found = {sample.key: _carry_out(connection, "remove", sample) for sample in samples()}
    return Removed(
        sum(each == _SAMPLE for each in found.values()),
        tuple(key for key, each in found.items() if each == _OTHER),
    )


def _carry_out(connection: RedisConnection, deed: str, sample: Sample) -> bytes:
    script = connection.script(source_of("sample"))
    found = script([sample.key], [deed, sample.ttl_ms, sample.kind, *sample.words])
    if found not in (_NOTHING, _SAMPLE, _OTHER):
        raise nonsense(connection.address, "a script")
    return bytes(found)


def _require_this_machine(connection: RedisConnection) -> None:
    primaries = tuple(server.address for server in connection.primaries())
    for address in (*connection.settings.servers, *primaries):
        if not _is_on_this_machine(address):
            raise SamplesRefused(f"{address} is not a loopback address, so others may use it")


def _is_on_this_machine(address: Address) -> bool:
    if address.is_socket or address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False


def _require_empty(connection: RedisConnection, samples_there: int) -> None:
    sizes = [connection.client.ask(server, "DBSIZE") for server in connection.primaries()]
    others = sum(sizes) - samples_there
    if others > 0:
        keys = "another key" if others == 1 else f"{others} other keys"
        raise SamplesRefused(f"{connection.address} has {keys}")
