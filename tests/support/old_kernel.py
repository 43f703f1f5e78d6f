"""A program on a kernel without child subreapers, as one older than Linux 3.4 is."""

import ctypes
import errno
import os
import struct

import pytest

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER = 38, 22, 36
_FILTER = 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_AT, _FIRST_ARGUMENT_AT = 0, 16
_NUMBER_OF_PRCTL = {"x86_64": 157, "aarch64": 167}

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def without_subreapers() -> None:
    """Refuse to make a subreaper of this process, and of what it becomes; for `preexec_fn`."""
    instructions = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (_LOAD, 0, 0, _NUMBER_AT),
            (_JUMP_IF_EQUAL, 0, 3, _NUMBER_OF_PRCTL[os.uname().machine]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
            (_JUMP_IF_EQUAL, 0, 1, _PR_SET_CHILD_SUBREAPER),
            (_RETURN, 0, 0, _ERRNO | errno.EINVAL),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    program = _Program(6, instructions)
    for words in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _FILTER)):
        more = (ctypes.byref(program),) if words[0] == _PR_SET_SECCOMP else ()
        if _libc.prctl(*words, *more):
            raise OSError(ctypes.get_errno(), "no filter of system calls")


def require_known_machine() -> None:
    """Skip a test where the number of a system call is not known."""
    if os.uname().machine not in _NUMBER_OF_PRCTL:
        pytest.skip("the number of prctl is not known on this machine")
