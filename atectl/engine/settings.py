"""How an engine is made, and which compiled code it takes. Nothing here imports the engine.

A process that only hands compiled code on has these, and no engine.
"""

import os
import sys
from functools import cache
from typing import NamedTuple

from atectl.accounting import DEFAULT_BOUNDS, DEFAULT_STACK_BYTES, StoreBounds

_PACKAGE = "wasmtime"
_METADATA = ".dist-info"

_HOST_STACK_BYTES = 2 << 20
_LEAST_THREAD_STACK_BYTES = 8 << 20


class EngineSettings(NamedTuple):
    """How an engine is made."""

    burns_fuel: bool = False
    """Whether guests burn fuel; this changes the machine code."""
    max_stack_bytes: int = DEFAULT_STACK_BYTES
    """The maximum size of a guest's call stack."""
    bounds: StoreBounds = DEFAULT_BOUNDS
    """What each guest may make, beside its quota."""

    @property
    def thread_stack_bytes(self) -> int:
        """The stack of each thread that a guest may run on, which is reserved as a whole."""
        return max(self.max_stack_bytes + _HOST_STACK_BYTES, _LEAST_THREAD_STACK_BYTES)

    @property
    def fingerprint(self) -> str:
        """What decides whether an artifact can be used: wasmtime's version and configuration."""
        burns = "fuel" if self.burns_fuel else "plain"
        return f"wasmtime-{installed_version()}-images-names-codes-{burns}"


DEFAULT_SETTINGS = EngineSettings()


@cache
def installed_version() -> str:
    """The version of wasmtime that `import wasmtime` finds.

    Read from the name of its metadata folder: `importlib.metadata` takes longer to import than
    a small guest takes to run.
    """
    for folder in sys.path:
        if os.path.exists(f"{folder}/{_PACKAGE}/__init__.py"):  # noqa: PTH110
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(f"{_PACKAGE}-") and entry.name.endswith(_METADATA):
                        return entry.name.removeprefix(f"{_PACKAGE}-").removesuffix(_METADATA)
            break
    from importlib.metadata import version

    return version(_PACKAGE)
