"""The locks, actors and workers under fixtures/locks, in a server or as they stand."""

import importlib.util
import json
from types import ModuleType
from typing import Any

from tests.conftest import ROOT


def _loader() -> ModuleType:
    path = ROOT / "fixtures" / "locks" / "load.py"
    spec = importlib.util.spec_from_file_location("load_lock_examples", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_LOADER = _loader()


def load_examples(client: Any) -> None:
    """Put every example into a server."""
    _LOADER.load(client)


def example_value(key: str) -> bytes:
    """What an example key holds."""
    [example] = [each for each in _LOADER.examples() if each["key"] == key]
    return (
        _LOADER.base64.b64decode(example["base64"])
        if "base64" in example
        else (example["value"].encode())
    )


def token(number: int) -> str:
    """A token as these systems write them."""
    return f"{number:08x}-1111-4222-8333-444455556666"


def actor_json(status: str, **fields: Any) -> str:
    """An actor's record of the second generation."""
    return json.dumps({"status": f"STATUS_{status}", "version": "4", **fields})
