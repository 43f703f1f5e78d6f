"""Lending the terminal to another process group, as a shell does with its jobs."""

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self


class Foreground:
    """The terminal behind a descriptor.

    It is lent only while this process is in its foreground. A program that runs in the background
    leaves the terminal alone.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_lent = False
        self._modes: list[Any] | None = None

    @classmethod
    def of(cls, descriptor: int) -> Self | None:
        """The terminal behind a descriptor; None if there is none with job control."""
        try:
            os.tcgetpgrp(descriptor)
        except OSError:
            return None
        return cls(descriptor)

    def lend(self, group: int) -> None:
        """Give the terminal to a process group, if this process is in its foreground."""
        try:
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                self._modes = termios.tcgetattr(self._descriptor)
                self._give(group)
                self._is_lent = True
        except (OSError, termios.error):  # the terminal went away
            return

    def take_back(self, *, restore_modes: bool = False) -> None:
        """Take a lent terminal back. If asked, restore the modes that it had before."""
        if not self._is_lent:
            return
        self._is_lent = False
        try:
            self._give(os.getpgrp())
            if restore_modes and self._modes is not None:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._modes)
        except (OSError, termios.error):  # the terminal went away
            return

    def _give(self, group: int) -> None:
        with _background_writes_allowed():
            os.tcsetpgrp(self._descriptor, group)


@contextmanager
def _background_writes_allowed() -> Iterator[None]:
    # A process that changes the terminal from the background is stopped by SIGTTOU unless it
    # blocks that signal. Ignoring it instead would be inherited by the command.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
