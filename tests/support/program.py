"""Running the installed `atectl` as its users do."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ATECTL = str(Path(sys.executable).parent / "atectl")


class Ended(NamedTuple):
    """A finished `atectl`."""

    status: int
    stdout: str
    stderr: str


def atectl(
    *words: str | Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Ended:
    """Run `atectl` with these words, off a terminal, to its end."""
    finished = subprocess.run(
        [ATECTL, *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
        **options,
    )
    return Ended(
        finished.returncode,
        finished.stdout.decode("utf-8", "surrogateescape"),
        finished.stderr.decode("utf-8", "surrogateescape"),
    )
