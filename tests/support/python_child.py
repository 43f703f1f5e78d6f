"""Python code in a process of its own, for what would spoil the process of the tests."""

import subprocess
import sys

AS_NOBODY = """
import os
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65_534)
    os.setuid(65_534)
"""
"""Source after which permission bits bind the process, as they do not bind root.

What it needs is to be imported before: `nobody` may not be allowed to read it.
"""


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
