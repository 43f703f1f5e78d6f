"""Other processes, as /proc tells of them."""

from pathlib import Path

from tests.support.waiting import wait_until


def state_of(pid: int) -> str:
    """The state of a process: `T` where it is stopped; empty where there is none."""
    try:
        return _fields(pid)[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    return state_of(pid) not in ("", "Z", "X")


def descendants_of(pid: int) -> list[int]:
    """The children of a process, those of these, and so on, as one look at all processes has it."""
    children: dict[int | None, list[int]] = {}
    for each in _everybody():
        children.setdefault(_parent(each), []).append(each)
    found = list(children.get(pid, []))
    for each in found:
        found += children.get(each, [])
    return found


def children_of(pid: int) -> list[int]:
    """The children of a process, those that have ended and were not waited for included."""
    return [child for child in _everybody() if _parent(child) == pid]


def computing_child(pid: int) -> int:
    """The child of a process, once it has a thread beside its first: it is past its start."""

    def found() -> list[int]:
        return [each for each in children_of(pid) if len(_threads(each)) > 1]

    wait_until(found)
    (child,) = found()
    return child


def alive_in_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [pid for pid in _everybody() if _session(pid) == session and is_alive(pid)]


def pid_in(folder: Path) -> int:
    """The process number that a command writes into the file `pid`, once it is there."""
    path = folder / "pid"
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def _threads(pid: int) -> list[str]:
    try:
        return [folder.name for folder in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _everybody() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _parent(pid: int) -> int | None:
    return _number(pid, 1)


def _session(pid: int) -> int | None:
    return _number(pid, 3)


def _number(pid: int, field: int) -> int | None:
    try:
        return int(_fields(pid)[field])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _fields(pid: int) -> list[str]:
    """What stands behind the name in `stat`: the state, the parent, the group, the session."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
