"""Errors of a guarded command: E543, E544, E546, E548 and E549."""

from atectl.errors import AtectlError


class HeldCommandNotFound(AtectlError):
    """There is no such command to run."""

    code = "E543"
    exit_status = 127
    example = "atectl locks hold demo/web -- no-such-command"
    default_remedy = "check the command's name, and PATH"


class HeldCommandNotExecutable(AtectlError):
    """The command cannot be executed."""

    code = "E544"
    exit_status = 126
    example = "atectl locks hold demo/web -- /etc/hostname"
    default_remedy = "make the file executable; a script needs a #! line"


class GuardGone(AtectlError):
    """The process that guards the command was killed, so the command was ended, too."""

    code = "E546"
    example = "a process of the name `child_guard.py` is killed by hand"
    default_remedy = "do not kill the guard: it ends the command if atectl no longer can"


class StraysEnded(AtectlError):
    """Processes that the command had left running outside its process group were ended with it."""

    code = "E548"
    example = "atectl locks hold demo/web -- setsid ./daemon"
    default_remedy = "start what is to go on running outside of `locks hold`"


class StraysUnknown(AtectlError):
    """Processes that leave the command's process group may outlive the lock on this system."""

    code = "E549"
    example = "a system without child subreapers (prctl), such as one older than Linux 3.4"
    default_remedy = "have the command start nothing in the background"
