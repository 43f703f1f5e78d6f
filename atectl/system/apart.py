"""Work done in another process, which ends when this one does.

All memory of the work is freed when its process ends. And it can be cut off even while native code
runs that cannot be interrupted.
"""

import json
import signal
import subprocess
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1


class ApartFailed(Exception):
    """The process gave no answer; the message says why."""


class Apart:
    """One question to one process.

    Args:
        module: its `main` reads the question from stdin as JSON, and writes the answer to stdout
            as JSON. It should call `end_with_parent` first.
    """

    def __init__(self, module: str) -> None:
        self._program = f"from {module} import main; main()"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_cut_off = False

    def ask(self, question: Any, timeout_s: float | None = None) -> Any:
        """Ask, and return the answer. In any case the process has ended by then.

        Raises:
            ApartFailed: it could not be started, took too long, was cut off or failed.
        """
        try:
            process = self._start()
        except OSError as error:
            raise ApartFailed(f"no process could be started: {error.strerror}") from None
        try:
            answer, told = process.communicate(json.dumps(question), timeout_s)
        except subprocess.TimeoutExpired:
            raise ApartFailed(f"it took over {timeout_s:g} s") from None
        finally:
            self._end(process)
        if process.returncode:
            raise ApartFailed(_why(process.returncode, told))
        return json.loads(answer)

    def cut_off(self) -> None:
        """Kill the process, and let no other be started. Any thread may call it."""
        with self._lock:
            self._is_cut_off = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> "subprocess.Popen[str]":
        with self._lock:
            if self._is_cut_off:
                raise ApartFailed("it was cut off")
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-c", self._program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="surrogateescape",
            )
            return self._process

    def _end(self, process: "subprocess.Popen[str]") -> None:
        with self._lock:
            self._process = None
            process.kill()
        process.communicate()


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends (only on Linux)."""
    from atectl.system.libc import libc

    prctl = getattr(libc, "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _why(status: int, told: str) -> str:
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    lines = [line.strip() for line in told.split("\n") if line.strip()]
    return f"it ended with {status}: {lines[-1] if lines else 'no reason given'}"
