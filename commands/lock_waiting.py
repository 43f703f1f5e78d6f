"""What is said while a lock is waited for."""

import sys

from atectl.inert import inert_line
from atectl.lock_errors import LockBusy


def tell_of_wait(busy: LockBusy) -> None:
    """Say on a terminal what is waited for."""
    if sys.stderr.isatty():
        print(f"waiting: {inert_line(str(busy))}", file=sys.stderr)
