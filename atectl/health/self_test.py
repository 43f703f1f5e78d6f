"""Self-tests in another process, which a broken engine or system may end."""

import signal
import subprocess
import sys

from atectl.errors import EngineUntrusted
from atectl.system.errors import not_started

TIMEOUT_S = 60.0


def printed_by(source: str, what: str) -> str:
    """What some Python prints that runs in a process of its own.

    Args:
        what: the self-test that it is, for the message: `the self-test`.

    Raises:
        EngineUntrusted: it failed, was ended by a signal, or took too long (exit 125).
        PythonNotStarted: there is no process for it (exit 125).
    """
    try:
        tested = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-c", source],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _untrusted(f"{what} took over {TIMEOUT_S:g} s") from None
    except OSError as error:
        raise not_started(error) from None
    if tested.returncode < 0:
        raise _untrusted(f"{what} was ended by {signal.Signals(-tested.returncode).name}")
    if tested.returncode:
        lines = [line.strip() for line in tested.stderr.splitlines() if line.strip()]
        raise _untrusted(f"{what} failed: {lines[-1] if lines else 'no reason given'}")
    return tested.stdout


def _untrusted(message: str) -> EngineUntrusted:
    return EngineUntrusted(
        message, remedy="solve other problems first, then `pip install --force-reinstall atectl`"
    )
