"""The wall of system calls: what a thread, or all threads of the process, may not ask the kernel.

A filter of the kernel (seccomp) decides on each call. What is denied fails with EPERM, so that
code which tries it goes on and can say so. A filter cannot be taken back, and threads that are
started later have it too.
"""

import ctypes
import os
import struct
from functools import cache

from atectl.system.libc import libc, reason
from atectl.system.walls.wall import Wall, holding, not_here

_SET_MODE_FILTER, _ALL_THREADS, _AS_FAST_AS_BEFORE = 1, 1, 4
"""The last one leaves a mitigation of the processor as it is, which would slow guests down."""

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_SET, _JUMP_IF_NOT_LESS, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _FAIL_WITH = 0x7FFF_0000, 0x0005_0000
_EPERM, _ENOSYS = 1, 38
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT, _THIRD_ARGUMENT_AT = 0, 4, 16, 32
_CLONE_THREAD = 0x10000

_MACHINES = {"x86_64": (0, 0xC000_003E, 317), "aarch64": (1, 0xC000_00B7, 277)}
"""For each: the place of its number in the tables below, its own number, and that of `seccomp`."""

_OTHER_INTERFACE = 0x4000_0000
"""From here on the numbers of x86-64 mean calls of its other interface, x32."""

_ABSENT = -1

_NEVER = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "fanotify_init": (300, 262),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "iopl": (172, _ABSENT),
    "ioperm": (173, _ABSENT),
    "personality": (135, 92),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
}
"""What no part of atectl asks for once a guest runs: other programs, other processes' memory, and
the system's administration. `io_uring` could do all of it past this filter."""

_NETWORK = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}

_PROCESSES = {
    "fork": (57, _ABSENT),
    "vfork": (58, _ABSENT),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "setrlimit": (160, 164),
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "mknod": (133, _ABSENT),
    "mknodat": (259, 33),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "semop": (65, 193),
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "shmat": (30, 196),
}
"""New processes, what reaches others, and raising the limits that were set."""

_CLONE, _CLONE3, _PRLIMIT = (56, 220), (435, 435), (302, 261)
_SIGNALS = ((62, 129), (234, 131))
"""`kill` and `tgkill`, whose first argument is a process."""


def deny_in_process(*, network: bool) -> Wall:
    """Let no thread of this process start processes or programs, look into others or signal them,
    change how they are scheduled, open sockets, raise its limits, or administer the system.

    Args:
        network: whether sockets may still be opened.
    """
    what = "no process or program is started, no other is signalled"
    what += "" if network else ", no socket is opened"
    return _install("system calls", what, _ALL_THREADS, of_process=True, network=network)


def deny_network() -> Wall:
    """Let this thread, and those that it starts, open no socket."""
    what = "the guest's thread opens no socket"
    return _install("network", what, 0, of_process=False, network=False)


def prepare() -> None:
    """Work out the filter of `deny_in_process` without network, for processes that are forked."""
    if os.uname().machine in _MACHINES:
        _filter(os.uname().machine, of_process=True, network=False)


def _install(wall: str, what: str, flags: int, *, of_process: bool, network: bool) -> Wall:
    machine = os.uname().machine
    if machine not in _MACHINES:
        return not_here(wall, f"there is no filter for {machine}")
    place, _, seccomp = _MACHINES[machine]
    begin, end = _filter(machine, of_process=of_process, network=network)
    signals = [each[place] for each in _SIGNALS] if of_process else []
    program = begin + _signals_to_this_process_alone(signals) + end
    content = ctypes.create_string_buffer(program, len(program))
    given = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(content))
    )
    failed = libc.syscall(seccomp, _SET_MODE_FILTER, flags | _AS_FAST_AS_BEFORE, given)
    if failed:
        return not_here(wall, f"the system refuses it: {reason()}")
    return holding(wall, what)


@cache
def _filter(machine: str, *, of_process: bool, network: bool) -> tuple[bytes, bytes]:
    """What is the same in all processes of a filter: its begin and its end."""
    place, number, _ = _MACHINES[machine]
    code = [
        *(_LOAD, 0, 0, _MACHINE_AT),
        *(_JUMP_IF_EQUAL, 1, 0, number),
        *(_RETURN, 0, 0, _FAIL_WITH | _ENOSYS),
        *(_LOAD, 0, 0, _NUMBER_AT),
        *(_JUMP_IF_NOT_LESS, 0, 1, _OTHER_INTERFACE),
        *(_RETURN, 0, 0, _FAIL_WITH | _ENOSYS),
    ]
    denied = {**_NEVER, **_PROCESSES} if of_process else {}
    denied |= {} if network else _NETWORK
    if of_process:
        code += _special(_CLONE[place], _CLONE3[place], _PRLIMIT[place])
    numbers = [each[place] for each in denied.values() if each[place] != _ABSENT]
    return _packed(code), _packed(_denying(numbers))


def _special(clone: int, clone3: int, prlimit: int) -> list[int]:
    """Threads may be started and limits read, by calls that could do more."""
    return [
        # The C library starts threads by `clone` where the newer call is not there.
        *(_JUMP_IF_EQUAL, 0, 1, clone3),
        *(_RETURN, 0, 0, _FAIL_WITH | _ENOSYS),
        *(_JUMP_IF_EQUAL, 0, 4, clone),
        *(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        *(_JUMP_IF_SET, 0, 1, _CLONE_THREAD),
        *(_RETURN, 0, 0, _ALLOW),
        *(_RETURN, 0, 0, _FAIL_WITH | _EPERM),
        # It also tells limits: then it is given none to set.
        *(_JUMP_IF_EQUAL, 0, 6, prlimit),
        *(_LOAD, 0, 0, _THIRD_ARGUMENT_AT),
        *(_JUMP_IF_EQUAL, 0, 3, 0),
        *(_LOAD, 0, 0, _THIRD_ARGUMENT_AT + 4),
        *(_JUMP_IF_EQUAL, 0, 1, 0),
        *(_RETURN, 0, 0, _ALLOW),
        *(_RETURN, 0, 0, _FAIL_WITH | _EPERM),
    ]


def _signals_to_this_process_alone(signals: list[int]) -> bytes:
    code: list[int] = []
    for number in signals:
        code += [
            *(_JUMP_IF_EQUAL, 0, 4, number),
            *(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
            *(_JUMP_IF_EQUAL, 0, 1, os.getpid()),
            *(_RETURN, 0, 0, _ALLOW),
            *(_RETURN, 0, 0, _FAIL_WITH | _EPERM),
        ]
    return _packed(code)


def _denying(numbers: list[int]) -> list[int]:
    """The end of a filter: these calls fail, and all others are made."""
    code: list[int] = []
    for place, number in enumerate(numbers):
        code += (_JUMP_IF_EQUAL, len(numbers) - place, 0, number)
    return [*code, _RETURN, 0, 0, _ALLOW, _RETURN, 0, 0, _FAIL_WITH | _EPERM]


def _packed(code: list[int]) -> bytes:
    """Instructions in the kernel's form: four fields for each."""
    return struct.pack("HBBI" * (len(code) // 4), *code)
