"""Running the installed `atectl` as its users do."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

ATECTL = str(Path(sys.executable).parent / "atectl")

NO_OTHER_PYTHON = (
    sys.executable,
    "-c",
    "import os, sys; from atectl.commands.main import main; "
    "sys.executable = os.devnull; del sys.argv[0]; sys.exit(main())",
)
"""Runs `atectl`, for `before`, where the file of its Python may not be executed any more."""


class Ended(NamedTuple):
    """A finished `atectl`."""

    status: int
    stdout: str
    stderr: str


def atectl(
    *words: str | Path,
    before: Sequence[str] = (),
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    stdout_to: IO[bytes] | None = None,
    timeout: float = 60,
    **options: Any,
) -> Ended:
    """Run `atectl` with these words, off a terminal, to its end.

    Args:
        before: the words of a program that runs it.
        stdout_to: where its stdout goes, None for a pipe that is read.
        timeout: how many seconds it may take.
    """
    finished = subprocess.run(
        [*before, ATECTL, *map(str, words)],
        input=stdin,
        stdout=subprocess.PIPE if stdout_to is None else stdout_to,
        stderr=subprocess.PIPE,
        timeout=timeout,
        env={**os.environ, **(environment or {})},
        **options,
    )
    return Ended(
        finished.returncode,
        (finished.stdout or b"").decode("utf-8", "surrogateescape"),
        finished.stderr.decode("utf-8", "surrogateescape"),
    )
