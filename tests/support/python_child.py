"""Python code in a process of its own, for what would spoil the process of the tests."""

import subprocess
import sys


def in_child(source: str) -> str:
    """What `source` prints."""
    ran = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
