"""The process that compiles one capsule: what it may use, what it does, and what it answers.

It reads a capsule from its standard input, writes the artifact to a file that it was given, and
answers on a pipe. While it compiles it can open nothing. The kernel enforces its limits of memory
and CPU time, and kills it when the process that forked it ends.
"""

import os
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOMEM
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Never

from atectl.capsule.artifact_file import file_parts
from atectl.capsule.compiling import binary_form, compile_judged, judge, without_data
from atectl.capsule.function_names import with_harmless_names
from atectl.capsule.phase import show_phase
from atectl.capsule.records import encode, escape
from atectl.capsule.task import COMMAND, Task
from atectl.errors import AtectlError
from atectl.system.libc import libc
from atectl.system.memory import allocated_bytes, give_back_at_once

if TYPE_CHECKING:
    from atectl.capsule.encodings import Encoding
    from atectl.capsule.interface import LinkingEngine

CAPSULE, ANSWER, MESSAGES, MEMORY, CACHE = range(5)
"""The descriptors that it has. The last two are files for the artifact, in memory and in the cache.
Without a cache both are the file in memory."""

NEXT, SIZES, PEAK = range(5, 8)
"""The further ones of a process that does several tasks: see `shared_child`."""

MARK = b"\0"
"""Delimits each record of the answer. Text outside of records is from the engine, as of a panic."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LOOK_BYTES = 65_536
_UNENCODED, _BLANKS, _TEXT = (b"\0asm", b"\x7fELF"), b" \t\r\n", (b"(", b";;")
"""What content without an encoding begins with; text may have blanks before it."""

_ZSTD = b"\x28\xb5\x2f\xfd"

_LAST_S = 5
"""At its limit of CPU time the process gets SIGXCPU; so many seconds later it is killed."""

_LARGE_BYTES = 1 << 20
"""From this size on, memory that is freed goes back to the system at once. CPython takes a tenth
less to be compiled then, and no longer."""

_prctl = getattr(libc, "prctl", None)


class Spare(NamedTuple):
    """What a process may still have beyond the limits that it has at first."""

    cpu_s: int = 0
    data_bytes: int = 0


NO_SPARE = Spare()


def compile_and_exit(engine: "LinkingEngine", task: Task, parent: int) -> Never:
    """Do the task in this process, answer, and end it.

    Args:
        parent: the process whose end also ends this one.
    """
    try:
        resident, data = sizes(Path("/proc/self/statm").read_bytes())
        tell({"began_with": str(resident)})
        confine(task, data, parent)
        tell(answer(engine, task))
    except BaseException:
        os._exit(1)
    os._exit(0)


def sizes(statm: bytes) -> tuple[int, int]:
    """Resident bytes of this process, and its data size as RLIMIT_DATA counts it.

    Args:
        statm: what is in the file of that name about it.
    """
    fields = statm.split()
    page_bytes = resource.getpagesize()
    return int(fields[1]) * page_bytes, int(fields[5]) * page_bytes


def confine(task: Task, data_bytes: int, parent: int, more: Spare = NO_SPARE) -> None:
    """Set the limits of this process, for good.

    Args:
        data_bytes: the data size inherited from the parent, which does not count as compiling.
        more: by how much the limits may still be raised for further tasks.
    """
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    give_back_at_once(_LARGE_BYTES)
    if os.getppid() != parent:
        os._exit(0)
    os.nice(task.niceness)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, task.cpu_s, task.cpu_s + more.cpu_s + _LAST_S)
    files = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    most_bytes = task.most_data_bytes
    largest = most_bytes if files == resource.RLIM_INFINITY else min(files, most_bytes)
    limit(resource.RLIMIT_FSIZE, largest, most_bytes)
    highest = data_bytes + most_bytes + more.data_bytes
    limit(resource.RLIMIT_DATA, data_bytes + task.data_bytes, highest)


def close_the_door() -> None:
    """Make this process unable to open anything: no file and no socket."""
    import atectl.capsule.refusal  # noqa: F401 - an answer may need it

    try:
        os.fstat(NEXT)
    except OSError:
        limit(resource.RLIMIT_NOFILE, CACHE + 1)
    else:
        limit(resource.RLIMIT_NOFILE, PEAK + 1)


def limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Limit this process; the hard limit is the same as the soft one where none is given."""
    highest = resource.getrlimit(kind)[1]
    limits = (soft, soft if hard is None else hard)
    if highest != resource.RLIM_INFINITY:
        limits = (min(soft, highest), min(limits[1], highest))
    resource.setrlimit(kind, limits)


def tell(record: dict[str, str]) -> None:
    """Write a record of the answer."""
    os.write(ANSWER, MARK + encode(record) + MARK)


def answer(engine: "LinkingEngine", task: Task) -> dict[str, str]:
    """Do the task, and return the answer."""
    try:
        return _work(engine, task) if task.work.module else _compile(engine, task)
    except AtectlError as error:
        from atectl.capsule.refusal import Refusal

        return Refusal.of(error, task.name).record()
    except MemoryError:
        return {"fault": "memory"}
    except OSError as error:
        if error.errno == ENOMEM:
            return {"fault": "memory"}
        return {"fault": "system", "errno": str(error.errno)}
    except Exception as error:
        return {"fault": "other", "said": escape(f"{type(error).__name__}: {error}")}


def _compile(engine: "LinkingEngine", task: Task) -> dict[str, str]:
    """Read and compile the capsule, and write the artifact."""
    binary = _read(task)
    show_phase("compile")
    found = judge(engine, task.name, binary, close_the_door, as_command=task.work == COMMAND)
    binary = with_harmless_names(binary, found.kind)
    separated = without_data(binary, found.kind)
    if separated is None:
        code, images = compile_judged(engine, task.name, binary, found.kind), None
    else:
        whole = binary if found.kind == "component" else None
        binary, images = separated
        del separated
        code = compile_judged(engine, task.name, binary, found.kind, whole)
        del whole
    del binary
    show_phase("store")
    parts = tuple(file_parts(code.serialize(), images))
    before = allocated_bytes()
    del code
    freed_bytes = (before or 0) - (allocated_bytes() or 0)
    creates = found.creates.with_code(freed_bytes)  # whoever maps it takes as much
    about = {
        "kind": found.kind,
        "creates": creates.as_text(),
        "start": "yes" if found.has_start else "no",
    }
    digest = sha256()
    for part in parts:
        digest.update(part)
    return {**about, "artifact": digest.hexdigest(), "unkept": escape(_write(parts))}


def _work(engine: "LinkingEngine", task: Task) -> dict[str, str]:
    """Do other work than to compile, and write what comes of it."""
    content: bytes = import_module(task.work.module).work(engine, task)
    _write_all(MEMORY, content)
    return {"written": str(len(content))}


def _read(task: Task) -> bytes:
    """The binary in the file. The file's hash is reported even if it cannot be decoded."""
    show_phase("read")
    with reading(task) as read:
        content, _ = decoded(read, task)
    return binary_form(task.name, content)


@contextmanager
def reading(task: Task) -> Iterator["HashedPart"]:
    """The capsule, to be read. Its hash is reported even if it cannot be decoded."""
    os.lseek(CAPSULE, task.part.offset, os.SEEK_SET)
    with open(CAPSULE, "rb", closefd=False) as file:
        read = HashedPart(file, task.part.size_bytes)
        try:
            yield read
        finally:
            while read.read(_LOOK_BYTES):
                pass
            tell({"sha256": read.sha256})


def decoded(file: "HashedPart", task: Task) -> "tuple[bytes, tuple[Encoding, ...]]":
    """What the capsule is behind all its encodings, and which these are."""
    head = os.pread(CAPSULE, _LOOK_BYTES, task.part.offset)
    if head.startswith(_UNENCODED) or is_text(head):
        return file.read(file.left), ()
    show_phase("decode")
    # Few capsules are encoded; the others should not pay for this import.
    from atectl.capsule.encodings import decode

    return decode(file, name=task.name, max_bytes=task.max_capsule_bytes)[:2]


def is_text(head: bytes) -> bool:
    """Whether what begins like this is the text form as it stands. zstd begins with `(`, too."""
    return head.lstrip(_BLANKS).startswith(_TEXT) and not head.startswith(_ZSTD)


class HashedPart:
    """So many bytes of a file from its position on, hashed as they are read."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self.left, self._hash = file, size_bytes, sha256()

    def read(self, size: int) -> bytes:
        piece = self._file.read(min(size, self.left))
        self.left -= len(piece)
        self._hash.update(piece)
        return piece

    @property
    def sha256(self) -> str:
        """Of what was read so far, in hexadecimal digits."""
        return self._hash.hexdigest()


def _write(parts: Iterable[bytes | bytearray]) -> str:
    """Write the artifact's file. Returns why it is not in the cache; empty if it is."""
    try:
        for part in parts:
            _write_all(CACHE, part)
        os.fsync(CACHE)
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return ""
    with suppress(OSError):
        os.ftruncate(CACHE, 0)
    # The soft limit is the user's, for files on disk. This file is in memory, so only the hard
    # limit applies: the one for compiling.
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for part in parts:
        _write_all(MEMORY, part)
    return reason


def _write_all(descriptor: int, content: bytes | bytearray) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
