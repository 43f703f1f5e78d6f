"""Which job of a shell is in front: what is typed at the terminal comes to it, and to no other.

A program that `&` put behind leaves the terminal to those that are in front of it.
"""

import os
from contextlib import suppress


def is_in_front(descriptor: int) -> bool:
    """Whether this program is in front, at the terminal behind a descriptor.

    At one that controls no process of this session there are no jobs, and everyone is.
    """
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True


def stop_behind(descriptor: int) -> None:
    """Stop this program, which is not in front, until it is continued or comes there.

    Raises:
        OSError: there is no shell that could continue it.
    """
    with suppress(InterruptedError):
        os.tcsetpgrp(descriptor, os.getpgrp())  # of whoever is behind, this asks to be stopped
