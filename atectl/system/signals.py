"""Signals that a process leaves to others, and the stop that Ctrl-Z asks for."""

import signal

_LEFT_TO_PARENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Sent to a whole group of processes, these are meant for the process that waits for the others."""


def leave_signals_to_parent() -> None:
    """Ignore signals meant for the process that waits, and keep none of its signal handlers."""
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in _LEFT_TO_PARENT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def stop_as_asked() -> None:
    """Stop this process as Ctrl-Z stops one that does not handle it; returns once it goes on.

    Where no shell could continue it, the system ignores that. SIGSTOP would stop it for good.
    For the main thread only.
    """
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)
