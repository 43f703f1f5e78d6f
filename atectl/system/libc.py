"""The C library of this process, opened once: to open it again takes a tenth of a millisecond."""

import ctypes
import os
from typing import Any

libc: Any = ctypes.CDLL(None, use_errno=True)
"""Its calls keep `errno` for `reason`."""


def reason() -> str:
    """Why the last call of `libc` failed."""
    return os.strerror(ctypes.get_errno())
