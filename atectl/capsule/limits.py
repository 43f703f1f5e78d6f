"""How much memory and time a capsule may take before its first instruction runs."""

from typing import NamedTuple

DEFAULT_MAX_CAPSULE_BYTES = 256 << 20
DEFAULT_COMPILE_MEMORY_BYTES = 1 << 30
DEFAULT_COMPILE_DEADLINE_S = 60.0

_LEAST_MEMORY_BYTES = 8 << 20
"""The default where the host's limit leaves less, so that small capsules can be judged at all."""


class CompileLimits(NamedTuple):
    """The bounds on reading and compiling one capsule.

    `memory_bytes` is what the process that compiles it may take, as the kernel counts it, None for
    the default: 1 GiB, or what this machine lets a process have if that is less.
    """

    max_capsule_bytes: int = DEFAULT_MAX_CAPSULE_BYTES
    memory_bytes: int | None = None
    deadline_s: float = DEFAULT_COMPILE_DEADLINE_S

    def settled(self, host_limit_bytes: int | None = None) -> "CompileLimits":
        """The same limits with a number for `memory_bytes`.

        Args:
            host_limit_bytes: what this process and all that it starts may take together, if each
                capsule is granted its memory out of that; None for the tightest ceiling of this
                machine.
        """
        if self.memory_bytes is not None:
            return self
        from atectl.system.ceilings import ceilings, tightest
        from atectl.system.memory import resident_bytes

        held = resident_bytes() or 0
        if host_limit_bytes is None:
            left = (tightest(ceilings()).size_bytes or DEFAULT_COMPILE_MEMORY_BYTES) - held
        else:  # that is held by what is granted
            left = host_limit_bytes - held
            left += most_untouched(left)
        return self._replace(
            memory_bytes=max(_LEAST_MEMORY_BYTES, min(DEFAULT_COMPILE_MEMORY_BYTES, left))
        )


DEFAULT_LIMITS = CompileLimits()


def most_untouched(granted_bytes: int) -> int:
    """How much the kernel may count beyond what was granted: memory that is reserved and not
    touched. For the largest capsules that is some 300 MiB."""
    return granted_bytes // 2
