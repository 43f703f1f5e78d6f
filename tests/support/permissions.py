"""Being bound by permission bits, as root is not."""

import ctypes
import os

_PR_CAPBSET_DROP = 24
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def bound_by_permissions() -> None:
    """Have the program that this process becomes heed permission bits; for `preexec_fn`.

    It stays root, so it can still read what belongs to root.
    """
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "the capability cannot be dropped")
