"""What the filter of system calls denies, and what it leaves to a process that runs a guest."""

import pytest

from tests.support.walled import result_of

DENIED = "Operation not permitted"

NEVER = {
    "a program": "os.execv('/bin/true', ['true'])",
    "a process": "fork()",
    "a process, the newer way": "os.posix_spawn('/bin/true', ['true'], {})",
    "another's memory": "refuse() if libc.ptrace(0, 0, 0, 0) else None",
    "a namespace": "refuse() if libc.unshare(0x10000000) else None",
    "a larger limit": "raise_limit()",
    "a device": "os.mknod('/tmp/device-of-a-guest', 0o600 | 0o20000, os.makedev(1, 3))",
    "a signal to another": "os.kill(os.getppid(), 0)",
    "a signal to another's thread": "refuse() if libc.tgkill(parent, parent, 0) else None",
    "a signal to all of its group": "os.kill(0, 0)",
    "a signal to everybody": "os.kill(-1, 0)",
    "another's priority": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 0)",
    "another's cores": "os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))",
    "another's shared memory": "refuse() if libc.shmat(0, 0, 0) < 0 else None",
    "io_uring": "refuse() if libc.syscall(425, 1, bytes(120)) < 0 else None",
}

TRY = """
from atectl.system.libc import libc
import ctypes
def refuse():
    raise OSError(ctypes.get_errno(), "")
def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if libc.setrlimit(resource.RLIMIT_NOFILE, ctypes.byref((ctypes.c_ulong * 2)(soft, hard))):
        refuse()
parent = os.getppid()
process.gain_no_privileges()
"""


def test_a_process_can_still_signal_itself_and_its_threads() -> None:
    found = result_of(f"""{TRY}
system_calls.deny_in_process(network=False)
signal.signal(signal.SIGUSR1, lambda *_: None)
result = [tried(lambda: os.kill(os.getpid(), signal.SIGUSR1)),
          tried(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))]""")
    assert found == ["done", "done"]


@pytest.mark.parametrize("attempt", NEVER.values(), ids=NEVER)
def test_what_no_part_of_a_run_needs_is_denied(attempt: str) -> None:
    found = result_of(f"""{TRY}
wall = system_calls.deny_in_process(network=False)
result = [wall.held, tried(lambda: {attempt})]""")
    assert found == [True, DENIED]


@pytest.mark.parametrize("network", [True, False])
def test_sockets_are_denied_unless_the_process_needs_them(network: bool) -> None:
    found = result_of(f"""{TRY}
system_calls.deny_in_process(network={network})
result = tried(lambda: socket.socket())""")
    assert found == ("done" if network else DENIED)


def test_a_thread_can_be_denied_sockets_that_others_may_open() -> None:
    found = result_of(f"""{TRY}
def denied():
    system_calls.deny_network()
    return [tried(lambda: socket.socket()), on_thread(lambda: tried(lambda: socket.socket()))]
result = [on_thread(denied), tried(lambda: socket.socket())]""")
    assert found == [[DENIED, DENIED], "done"]


def test_it_holds_for_threads_that_ran_before() -> None:
    found = result_of(f"""{TRY}
go_on, results = threading.Event(), []
def waiting():
    go_on.wait()
    results.append(tried(fork))
thread = threading.Thread(target=waiting)
thread.start()
on_thread(lambda: system_calls.deny_in_process(network=False))
go_on.set()
thread.join()
result = results""")
    assert found == [DENIED]


def test_files_threads_limits_and_time_are_left() -> None:
    found = result_of(f"""{TRY}
import sqlite3, tempfile, time
system_calls.deny_in_process(network=False)
def store():
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite3.connect(folder + "/ledger.db")
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE t (x)")
        store.commit()
        store.close()
result = [
    tried(store),
    tried(lambda: on_thread(lambda: None)),
    tried(lambda: resource.getrlimit(resource.RLIMIT_NOFILE)),
    tried(lambda: time.sleep(0.001)),
    tried(lambda: os.kill(os.getpid(), 0)),
]""")
    assert found == ["done"] * 5


def test_a_machine_without_a_filter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from atectl.system.walls import system_calls

    monkeypatch.setattr(system_calls, "_MACHINES", {})
    wall = system_calls.deny_in_process(network=False)
    assert not wall.held
    assert "there is no filter for" in wall.detail
