"""A batch in which the cells of one principal do what a test says: as if its guest had broken out
of the engine. All else is as it is: real processes, behind their walls."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import CAPSULES

BAD = "bad"
"""The principal whose cells are taken over."""

_PROGRAM = """
import json, os, resource, signal, socket, sys, threading, time
import atectl.batch.cells.serving as serving
from atectl.commands.main import dispatch

HOST = os.getpid()

def framed(body, descriptors=0):
    return len(body).to_bytes(4, "big") + bytes([descriptors]) + body

def control():
    "The control stream, which waits."
    stream = socket.socket(fileno=os.dup(serving.CONTROL))
    stream.setblocking(True)
    return stream

def tried(action):
    "`done`, or the words of the system's error."
    try:
        action()
    except OSError as error:
        return os.strerror(error.errno)
    return "done"

def on_first_thread(cell, action):
    "What `action` returns on the first thread of the cell."
    found, done = [], threading.Event()
    def call():
        try:
            found.append(action())
        finally:
            done.set()
    cell._post(call)
    done.wait()
    return found[0]

def outcome(*results, **other):
    "The message that a lease has ended."
    ended = {"reason": "exited", "status": 0, "error": None, "trap": None, "code": 0}
    ended |= {"results": list(results)} | other.pop("outcome", {})
    told = {"outcome": ended, "reading": [0, 0, 0, 0, 0, 0.0], "cpu_s": 0.0, "fuel": 0}
    return told | {"kept": 0, "dropped": 0} | other

ATTACK

_run = serving._Cell._run

def run(cell, wire, outputs, order, descriptors):
    if order["terms"]["principal"] == "bad":
        told = attack(cell, wire, order)
        if told is not None:
            return told
    return _run(cell, wire, outputs, order, descriptors)

serving._Cell._run = run
sys.exit(dispatch(sys.argv[1:]))
"""


class Ended(NamedTuple):
    """The batch when it has ended: its exit status, and its results by principal."""

    status: int
    stderr: str
    results: dict[str, list[dict[str, Any]]]

    @property
    def of_bad(self) -> dict[str, Any]:
        """The result of the job in the cell that was taken over."""
        (result,) = self.results[BAD]
        return result

    @property
    def of_others(self) -> list[dict[str, Any]]:
        return [each for who, all_ in self.results.items() if who != BAD for each in all_]


def program_of(attack: str) -> str:
    """Python source of `atectl` with cells that are taken over.

    Args:
        attack: source of a function `attack(cell, wire, order)`, called on the line's thread in
            place of the guest. What it returns is told as what came of the lease; after None the
            guest runs.
    """
    return _PROGRAM.replace("ATTACK", attack)


def ran_taken_over(
    attack: str, *options: str | Path, victims: int = 20, bad: Sequence[dict[str, Any]] = ({},)
) -> Ended:
    """Run a batch with jobs of `bad`, whose cell is taken over, and of others behind them.

    Args:
        attack: see `program_of`.
        options: those of `atectl batch`.
        victims: how many jobs others have.
        bad: the keys of each job of `bad`, beside its capsule.
    """
    hello = {"capsule": str(CAPSULES / "hello.wat")}
    jobs = [{**hello, **each, "principal": BAD} for each in bad]
    jobs += [{**hello, "principal": f"good{number % 3}"} for number in range(victims)]
    ended = subprocess.run(
        [sys.executable, "-c", program_of(attack), "batch", "-", "--ledger", "none", *options],
        input="".join(f"{json.dumps(job)}\n" for job in jobs),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    results: dict[str, list[dict[str, Any]]] = {}
    for line in ended.stdout.splitlines():
        result = json.loads(line)
        results.setdefault(result["principal"], []).append(result)
    return Ended(ended.returncode, ended.stderr, results)
