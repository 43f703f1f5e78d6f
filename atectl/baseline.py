"""What a host process takes before any guest runs: its baseline, measured for real.

It is measured in a child process that brings the engine up, loads the capsules from the cache as
a host does, instantiates each once and runs none.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from atectl.errors import BaselineUnmeasured
from atectl.host_memory import resident_bytes

TIMEOUT_S = 120.0
"""How long the child may take; compiling a large capsule takes seconds."""

_CHILD = "from atectl.baseline_child import main; main()"


class Sample(NamedTuple):
    """A capsule to be instantiated, under its quota."""

    path: Path
    max_mem_bytes: int


class Refusal(NamedTuple):
    """A capsule that could not be instantiated, with the error of its run."""

    path: Path
    code: str
    message: str
    remedy: str


class Baseline(NamedTuple):
    """What the host takes by itself; None if that could not be measured, and `source` says why."""

    resident_bytes: int | None
    source: str
    refusals: tuple[Refusal, ...] = ()


def stated(size_bytes: int) -> Baseline:
    """The baseline that the operator gave."""
    return Baseline(size_bytes, "as stated")


def of_process(pid: int) -> Baseline:
    """The resident bytes of a running host.

    Raises:
        BaselineUnmeasured: there is no such process, or it may not be read (exit 125).
    """
    resident = resident_bytes(pid)
    if not resident:  # one that has ended and waits to be reaped holds nothing
        raise BaselineUnmeasured(f"there is no process {pid} whose memory could be read")
    return Baseline(resident, f"resident size of process {pid}")


def measure(
    samples: Iterable[Sample], *, program: Iterable[str] = (), timeout_s: float = TIMEOUT_S
) -> Baseline:
    """The resident bytes of a host that is up and has instantiated each of `samples`, run none.

    Args:
        program: modules that the host has imported as well, by their names.
        timeout_s: how long the measuring may take.
    """
    capsules = [[str(each.path), each.max_mem_bytes] for each in samples]
    asked = json.dumps({"program": list(program), "capsules": capsules})
    try:
        answer = _ask_child(asked, timeout_s)
        if answer["compiled"]:
            # What compiling took is no part of it: now all come from the cache.
            answer = _ask_child(asked, timeout_s)
    except BaselineUnmeasured as error:
        return Baseline(None, str(error))
    refusals = tuple(
        Refusal(Path(path), code, message, remedy)
        for path, code, message, remedy in answer["refusals"]
    )
    if answer["resident_bytes"] is None:
        return Baseline(None, "the system does not tell what a process holds", refusals)
    number = answer["instantiated"]
    noun = "capsule" if number == 1 else "capsules"
    source = f"measured: a process with the engine up and {number} {noun} instantiated"
    return Baseline(answer["resident_bytes"], source, refusals)


def _ask_child(asked: str, timeout_s: float) -> dict[str, Any]:
    try:
        ended = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-c", _CHILD],
            input=asked,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BaselineUnmeasured(f"the measuring process took over {timeout_s:g} s") from None
    except OSError as error:
        raise BaselineUnmeasured(f"no process could be started: {error.strerror}") from None
    if ended.returncode:
        lines = ended.stderr.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
        raise BaselineUnmeasured(f"the measuring process ended with {ended.returncode}: {last}")
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer
