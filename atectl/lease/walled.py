"""The walls around the one guest of a process, and what happens when it reaches them.

They go up in two steps: limits of the process just before the guest's thread starts, all others
from that thread, once its folders are open and before anything of the capsule runs. What other
threads still need is left to them: the ledger's file, the report, the server of an actor's lock.

What the host comes to hold for a guest beside its memory, such as handles and buffers, no meter
sees. It is bounded twice. A watch compares what the process holds with what the guest is charged,
and ends the guest with an error. Growth that is too fast for the watch meets the kernel's limit:
then an allocation fails, and the engine aborts. The abort is caught on the thread where it
happens, which is left where it stands, while the run ends like any other.
"""

import ctypes
import mmap
import os
import resource
import signal
import threading
from typing import TYPE_CHECKING

from atectl.errors import AtectlError, EngineFailure
from atectl.system.held import Held, held_by
from atectl.system.libc import libc
from atectl.system.walls import folders, process, system_calls
from atectl.system.walls.amounts import KERNEL_SLACK_BYTES, SLACK_BYTES
from atectl.system.walls.wall import Wall, not_here
from atectl.units import show_size

if TYPE_CHECKING:
    from atectl.lease.lease import Lease

_SHARED_DESCRIPTORS = not_here(
    "descriptors of the guest", "its output goes to a terminal, through pipes that it shares"
)

_RESERVE_BYTES = 32 << 20
"""Pages that nobody touches. They are given up when an allocation has failed, so that the run can
say so, and store its ledger and report. The watch ends a guest that comes as near to the limit."""

_KEPT_DESCRIPTORS = 8
"""What the run has for itself once the guest has ended: to import, to report, to store."""

_LAST_DESCRIPTORS = 8
"""The engine needs some for the first call that waits, and aborts if it does not get them."""

_ENOMEM = 12
_ABORT_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, use_errno=True)


class RunWalls:
    """The walls around one lease, which has this process to itself.

    Args:
        lease: the lease.
        max_fds: how many descriptors its guest may have open.
        has_network: whether other threads of the process use the network.
        has_screen: whether the guest's output goes through this process to a terminal. The pipes
            for that are at their end only once no table of descriptors has them any more.

    Attributes:
        walls: those that were put up, and those that could not be.
    """

    def __init__(
        self, lease: "Lease", max_fds: int, *, has_network: bool, has_screen: bool
    ) -> None:
        self.walls: tuple[Wall, ...] = ()
        self._lease = lease
        self._max_fds = max_fds
        self._has_network = has_network
        self._has_screen = has_screen
        self._before = held_by() or Held(0, 0)
        self._most_data_bytes = 0
        self._kept: list[int] = []
        self._guest_thread = 0
        self._abort_errno: int | None = None
        self._never = threading.Lock()
        self._never.acquire()
        self._on_abort = _ABORT_HANDLER(self._aborted)
        self._reserve = mmap.mmap(-1, _RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def around_process(self) -> None:
        """Put up the limits of the process."""
        self._kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(_KEPT_DESCRIPTORS)]
        quota = self._lease.terms.quota
        tables_bytes = 8 * quota.table_elements
        own_bytes = quota.memory_bytes + tables_bytes + KERNEL_SLACK_BYTES
        self._most_data_bytes = self._before.data_bytes + own_bytes
        self.walls = (
            process.limit_data(self._most_data_bytes),
            process.limit_descriptors(_open_descriptors(threading.get_native_id()) + self._max_fds),
            process.leave_no_core(),
            process.gain_no_privileges(),
            not_here("processes", "RLIMIT_NPROC counts all of a user's; see system calls"),
            not_here("parent", "a run may outlive who started it"),
        )

    def around_guest(self) -> None:
        """Put up those of the calling thread, which is the guest's, and of system calls.

        Nothing but threads is started afterwards.
        """
        wasi = self._lease.terms.wasi
        granted = [(folder.host, folder.read_only) for folder in wasi.folders]
        self.walls += (
            _SHARED_DESCRIPTORS if self._has_screen else process.own_descriptors(),
            folders.keep_to(granted),
            system_calls.deny_in_process(network=self._has_network),
        )
        if self._has_network:
            self.walls += (system_calls.deny_network(),)
        self._guest_thread = threading.get_native_id()
        # Where the engine told how it came to an abort, the cause would be gone from `errno`.
        os.environ["RUST_BACKTRACE"] = "0"
        libc.signal(int(signal.SIGABRT), self._on_abort)

    def passed(self) -> AtectlError | None:
        """The error of a guest for which the host holds too much by now; None if it does not."""
        if self._abort_errno is not None:
            self._reserve.close()
            return self._why_aborted()
        held = held_by()
        if held is None:
            return None
        charged_bytes = self._lease.read().current_bytes
        more_bytes = held.own_bytes - self._before.own_bytes - charged_bytes
        if held.data_bytes > self._most_data_bytes - _RESERVE_BYTES:
            return self.ran_out()
        if more_bytes <= SLACK_BYTES:
            return None
        count = _open_descriptors(self._guest_thread)
        files = f", {count} open files among it" if count > self._max_fds // 2 else ""
        return self._growth(f"{show_size(more_bytes)}{files}")

    def after_guest(self) -> None:
        """Called once the guest has ended, or was given up: what was kept for that is free then."""
        while self._kept:
            os.close(self._kept.pop())

    def _why_aborted(self) -> AtectlError:
        if self._abort_errno == _ENOMEM:
            return self.ran_out()
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.after_guest()
        if _open_descriptors(self._guest_thread) >= most - _LAST_DESCRIPTORS:
            from atectl.system.walls.errors import OverBounds

            return OverBounds(
                f"the guest kept all descriptors open that it may have ({self._max_fds}), and the "
                "engine had none left for a call",
                remedy="have the guest close what it opens, or raise --max-fds",
            )
        return EngineFailure("the engine broke down while the guest ran")

    def ran_out(self) -> AtectlError:
        """The error of a guest for which the host could allocate no more."""
        return self._growth("all that the kernel's limit leaves")

    def _growth(self, size: str) -> AtectlError:
        from atectl.system.walls.errors import BESIDE_MEMORY, OF_INSTANCES, host_growth

        what = BESIDE_MEMORY if self._lease.is_instantiated else OF_INSTANCES
        return host_growth(size, what)

    def _aborted(self, _number: int) -> None:
        """Native code gave up, on the thread that this is called on.

        If that is the guest's thread, or one that the engine started for it, it is left waiting
        here, and the watch ends the guest. For a thread of atectl itself, the process ends as it
        would without this. As little as possible is allocated here: there may be no more.
        """
        try:
            thread = threading.get_native_id()
            is_ours = any(each.native_id == thread for each in threading.enumerate())
        except MemoryError:
            is_ours = False  # threads of the engine are those that take it
        if is_ours and thread != self._guest_thread:
            libc.signal(int(signal.SIGABRT), None)
            return
        self._abort_errno = ctypes.get_errno()
        self._never.acquire()


def _open_descriptors(thread: int) -> int:
    return len(os.listdir(f"/proc/self/task/{thread}/fd"))  # noqa: PTH208 - pathlib costs more, at every run
