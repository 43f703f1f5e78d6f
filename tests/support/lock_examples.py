"""The sample locks, actors and workers, in a server or as they stand."""

import json
from typing import Any

from atectl.locks.samples import samples


def load_examples(client: Any) -> None:
    """Put every sample into a server, whatever is in it."""
    for sample in samples():
        client.delete(sample.key)
        if sample.kind == "hash":
            fields = dict(zip(sample.words[::2], sample.words[1::2], strict=True))
            client.hset(sample.key, mapping=fields)
        else:
            client.set(sample.key, sample.words[0])
        if sample.ttl_ms:
            client.pexpire(sample.key, sample.ttl_ms)


def example_value(key: str) -> bytes:
    """What a sample key holds."""
    [text] = [sample.words[0] for sample in samples() if sample.key == key]
    return text if isinstance(text, bytes) else text.encode()


def token(number: int) -> str:
    """A token as these systems write them."""
    return f"{number:08x}-1111-4222-8333-444455556666"


def actor_json(status: str, **fields: Any) -> str:
    """An actor's record of the second generation."""
    return json.dumps({"status": f"STATUS_{status}", "version": "4", **fields})
