"""Errors of a guarded command."""

from atectl.errors import AtectlError


class HeldCommandNotFound(AtectlError):
    """There is no such command to run under the lock."""

    code = "E543"
    exit_status = 127
    example = "atectl locks hold demo/web -- no-such-command"
    default_remedy = "check the command's name, and PATH"


class HeldCommandNotExecutable(AtectlError):
    """The command to run under the lock cannot be executed."""

    code = "E544"
    exit_status = 126
    example = "atectl locks hold demo/web -- /etc/hostname"
    default_remedy = "make the file executable, and give a script its #! line"


class GuardGone(AtectlError):
    """The process that guards the command was killed, so the command was ended too."""

    code = "E546"
    example = "a process of the name `child_guard.py` is killed by hand"
    default_remedy = "leave the guard alone: it kills the command if atectl no longer can"
