"""Limits of a process, and what it gives up: each is put up in a real process and then tried."""

import os

from tests.support.walled import result_of


def test_pages_can_be_opened_up_to_the_limit_and_address_space_reserved_beyond() -> None:
    found = result_of("""
import mmap
from atectl.system.held import held_by
process.limit_data(held_by().data_bytes + (64 << 20))
anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
result = [
    tried(lambda: mmap.mmap(-1, 8 << 30, flags=anonymous, prot=0)),
    tried(lambda: mmap.mmap(-1, 16 << 20, flags=anonymous)),
    tried(lambda: mmap.mmap(-1, 96 << 20, flags=anonymous)),
]""")
    assert found == ["done", "done", "Cannot allocate memory"]


def test_no_more_descriptors_can_be_open_than_the_limit() -> None:
    found = result_of("""
process.limit_descriptors(20)
opened = []
tried(lambda: [opened.append(os.open("/", os.O_RDONLY)) for _ in range(100)])
result = max(opened)""")
    assert found == 19


def test_a_limit_is_never_raised() -> None:
    found = result_of("""
process.limit_descriptors(20)
process.limit_descriptors(200)
result = resource.getrlimit(resource.RLIMIT_NOFILE)""")
    assert found == [20, 20]


def test_a_limit_beyond_what_the_kernel_can_be_told_is_the_largest() -> None:
    found = result_of("""
process.limit_data(1 << 64)
result = resource.getrlimit(resource.RLIMIT_DATA)""")
    assert [each for each in found if each not in (-1, (1 << 63) - 1)] == []


def test_no_core_is_left() -> None:
    found = result_of("""
process.leave_no_core()
result = resource.getrlimit(resource.RLIMIT_CORE)""")
    assert found == [0, 0]


def test_no_privileges_are_gained() -> None:
    found = result_of("""
process.gain_no_privileges()
status = open("/proc/thread-self/status").read()
result = [line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs")]""")
    assert found == ["1"]


def test_a_thread_with_its_own_descriptors_takes_none_of_the_others() -> None:
    found = result_of("""
process.limit_descriptors(30)
go_on, opened = threading.Event(), threading.Event()
def hog():
    process.own_descriptors()
    tried(lambda: [os.open("/", os.O_RDONLY) for _ in range(100)])
    opened.set()
    go_on.wait()
threading.Thread(target=hog).start()
opened.wait()
result = tried(lambda: [os.open("/", os.O_RDONLY) for _ in range(20)])
go_on.set()""")
    assert found == "done"


def test_a_process_ends_with_its_parent() -> None:
    """The child writes to a pipe when it stands ready; the pipe is at its end when it is gone."""
    found = result_of("""
reading, writing = os.pipe()
parent = os.fork()
if parent == 0:
    me = os.getpid()
    if os.fork() == 0:
        process.end_with_parent(me)
        os.write(writing, b"ready")
        signal.pause()
    signal.pause()
os.close(writing)
ready = os.read(reading, 5)
os.kill(parent, signal.SIGKILL)
result = [ready.decode(), os.read(reading, 1).decode()]""")
    assert found == ["ready", ""]


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    found = result_of(f"""
child = os.fork()
if child == 0:
    process.end_with_parent({os.getpid()})
    os._exit(7)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])""")
    assert found == 0
