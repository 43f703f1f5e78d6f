"""What this process has open.

A number of all descriptors says too little: what an earlier test left to the
garbage collector may be closed at any time, and so a test asks for what is open
now and was not before.
"""

from pathlib import Path

Opened = frozenset[tuple[int, str]]


def open_descriptors() -> Opened:
    """Each open descriptor with what it is of: a path, `socket:[inode]`, `pipe:[inode]`."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.add((int(each.name), str(each.readlink())))
        except FileNotFoundError:
            continue  # that of the listing itself is closed by now
    return frozenset(found)


def opened_since(before: Opened) -> list[str]:
    """What is open now that was not `before`, in the order of the descriptors."""
    return [name for _, name in sorted(open_descriptors() - before)]
