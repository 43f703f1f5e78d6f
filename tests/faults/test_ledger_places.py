"""A ledger that cannot be read or written: each cause has its words, its code and its status."""

import errno
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from atectl.errors import LedgerError, LedgerUnavailable
from atectl.ledger_store.errors import LedgerDiskFull, LedgerForbidden
from atectl.ledger_store.sqlite.obstacles import of_system
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.conftest import CAPSULES
from tests.support.lease_records import HOST, finish, make_lease
from tests.support.permissions import bound_by_permissions
from tests.support.program import Ended, atectl
from tests.support.python_child import in_child
from tests.support.small_disks import SmallDisk

MakeDisk = Callable[..., SmallDisk]


def write_ledger(path: Path) -> None:
    """A ledger of one finished lease."""
    with closing(SqliteLedgerStore(path, host=HOST)) as store:
        store.flush([finish(make_lease(principal="alice"))])


def run(path: Path, **options: Any) -> Ended:
    return atectl("run", "--ledger", path, CAPSULES / "hello.wat", **options)


def reset(path: Path, **options: Any) -> Ended:
    return atectl("ledger", "reset", "--all", "--yes", "--ledger", path, **options)


def principals(shown: Ended) -> list[str]:
    return [account["principal"] for account in json.loads(shown.stdout)["accounts"]]


def listed(path: Path, **options: Any) -> Ended:
    return atectl("ledger", "ls", "-o", "json", "--ledger", path, **options)


def tabled(path: Path, **options: Any) -> Ended:
    """The same for people, as its errors are."""
    return atectl("ledger", "ls", "--ledger", path, **options)


def assert_warned_of_a_full_disk(ended: Ended) -> None:
    """The run went well, and its warning is of the disk."""
    assert ended.status == 0
    assert ended.stdout == "hello from a capsule\n"
    assert ended.stderr.startswith("warning[E407]: ")
    assert "disk is full" in ended.stderr
    assert "I/O error" not in ended.stderr


@contextmanager
def open_store(path: Path) -> Iterator[SqliteLedgerStore]:
    with closing(SqliteLedgerStore(path, host=HOST)) as store:
        store.flush([finish(make_lease(id="lease-2", principal="bob"))])
        yield store


def leave_log_without_index(path: Path) -> None:
    """A ledger as a killed host leaves it, whose index was lost; `bob` is in the log alone."""
    if not path.exists():
        write_ledger(path)
    log = path.with_name("ledger.db-wal")
    with open_store(path):
        contents = path.read_bytes(), log.read_bytes()
    for each, content in zip((path, log), contents, strict=True):
        each.write_bytes(content)
    assert not path.with_name("ledger.db-shm").exists()


# A full disk


@pytest.fixture
def full(make_disk: MakeDisk) -> Path:
    """A ledger on a disk without a free byte."""
    disk = make_disk()
    path = disk.folder / "ledger.db"
    write_ledger(path)
    disk.fill()
    return path


@pytest.mark.parametrize("has_empty_log", [False, True])
def test_a_ledger_on_a_full_disk_is_read(full: Path, has_empty_log: bool) -> None:
    if has_empty_log:
        full.with_name("ledger.db-wal").touch()
    before = full.read_bytes()
    shown = listed(full)
    assert (shown.status, shown.stderr) == (0, "")
    assert principals(shown) == ["alice"]
    assert full.read_bytes() == before
    # SQLite has left an empty log and the start of an index: with these it is the same.
    assert principals(listed(full)) == ["alice"]


def test_what_writes_to_a_full_disk_says_so(full: Path) -> None:
    assert_warned_of_a_full_disk(run(full))
    told = reset(full)
    assert told.status == 125
    assert told.stderr.startswith(f"error[E407]: {full}: its disk is full: 0 B are free\n")
    assert principals(listed(full)) == ["alice"]


def test_a_new_ledger_on_a_full_disk_says_so(full: Path) -> None:
    assert_warned_of_a_full_disk(run(full.with_name("new.db")))


def test_a_disk_that_is_nearly_full_is_as_good_as_full(make_disk: MakeDisk) -> None:
    disk = make_disk()
    path = disk.folder / "ledger.db"
    write_ledger(path)
    disk.fill(but_for_bytes=12 << 10)
    assert principals(listed(path)) == ["alice"]
    told = reset(path)
    assert told.stderr.startswith(f"error[E407]: {path}: its disk is full: ")


def test_a_disk_without_inodes_says_so(make_disk: MakeDisk) -> None:
    disk = make_disk("size=4m,nr_inodes=20")
    path = disk.folder / "ledger.db"
    write_ledger(path)
    disk.take_every_inode()
    assert principals(listed(path)) == ["alice"]
    told = reset(path)
    assert (told.status, told.stderr[:12]) == (125, "error[E407]:")
    assert "no inode left" in told.stderr


def test_entries_in_a_log_that_a_full_disk_hides_are_not_left_out_in_silence(
    make_disk: MakeDisk,
) -> None:
    disk = make_disk()
    path = disk.folder / "ledger.db"
    leave_log_without_index(path)
    disk.fill()
    told = tabled(path)
    assert (told.status, told.stderr[:12]) == (125, "error[E407]:")
    disk.make_room()
    assert principals(listed(path)) == ["alice", "bob"]


def test_what_is_stored_while_the_disk_runs_full_is_all_there_or_not_at_all(
    make_disk: MakeDisk,
) -> None:
    disk = make_disk()
    path = disk.folder / "ledger.db"
    with closing(SqliteLedgerStore(path, host=HOST)) as store:
        store.flush([finish(make_lease(principal="alice"))])
        disk.fill()
        many = [make_lease(id=f"l{n}", principal=f"p{n}", label="x" * 500) for n in range(300)]
        with pytest.raises(LedgerDiskFull, match="its disk is full"):
            store.flush(many)
        assert [account.principal for account in store.accounts()] == ["alice"]
        disk.make_room()
        store.flush(many[:10])
        assert len(store.accounts()) == 11


def test_a_limit_on_the_size_of_files_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    write_ledger(path)
    limits = resource.RLIMIT_FSIZE, (30_000, 30_000)
    told = reset(path, preexec_fn=lambda: resource.setrlimit(*limits))
    assert (told.status, told.stderr[:12]) == (125, "error[E407]:")
    assert "the limit on the size of files" in told.stderr
    assert "ulimit -f" in told.stderr


# Permissions


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "place" / "ledger.db"
    path.parent.mkdir()
    write_ledger(path)
    return path


BOUND: dict[str, Any] = {"preexec_fn": bound_by_permissions}


def test_a_ledger_that_may_not_be_read_says_so(written: Path) -> None:
    written.chmod(0o000)
    told = tabled(written, **BOUND)
    assert told.status == 125
    assert told.stderr == (
        f"error[E406]: {written} may not be read: permission denied\n"
        "  try: change the permissions of the file and its folder, or name another place with "
        "--ledger or ATECTL_LEDGER\n"
    )


def test_a_ledger_that_may_not_be_written_says_so(written: Path) -> None:
    written.chmod(0o444)
    assert principals(listed(written, **BOUND)) == ["alice"]
    told = reset(written, **BOUND)
    assert told.status == 125
    assert told.stderr.startswith(f"error[E406]: {written} may not be written: permission denied\n")


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_file_beside_it_that_may_not_be_read_is_named(written: Path, ending: str) -> None:
    with open_store(written):
        beside = written.with_name(written.name + ending)
        beside.chmod(0o000)
        told = tabled(written, **BOUND)
        assert told.stderr.startswith(f"error[E406]: {beside} may not be read: permission denied")


def test_a_folder_that_may_not_be_written_is_named(written: Path) -> None:
    written.parent.chmod(0o555)
    assert principals(listed(written, **BOUND)) == ["alice"]
    told = reset(written, **BOUND)
    assert told.status == 125
    assert told.stderr.startswith(
        f"error[E406]: {written}: no file can be made beside it: permission denied\n"
    )


def test_a_folder_that_may_not_be_searched_is_a_matter_of_permission(written: Path) -> None:
    written.parent.chmod(0o000)
    told = tabled(written, **BOUND)
    assert told.stderr.startswith(f"error[E406]: {written}: Permission denied\n")


def test_a_run_warns_of_a_ledger_that_it_may_not_write(written: Path) -> None:
    written.chmod(0o444)
    ended = run(written, **BOUND)
    assert (ended.status, ended.stdout) == (0, "hello from a capsule\n")
    assert ended.stderr.startswith(f"warning[E406]: {written} may not be written: ")


def test_a_read_only_file_system_is_named(make_disk: MakeDisk) -> None:
    disk = make_disk()
    path = disk.folder / "ledger.db"
    write_ledger(path)
    disk.make_read_only()
    assert principals(listed(path)) == ["alice"]
    told = reset(path)
    assert told.status == 125
    assert told.stderr.startswith(
        f"error[E406]: {path} may not be written: read-only file system\n"
    )


# A log without its index


def test_a_log_without_its_index_is_read_where_an_index_can_be_made(written: Path) -> None:
    leave_log_without_index(written)
    assert principals(listed(written)) == ["alice", "bob"]


def test_a_log_without_its_index_is_an_error_of_its_own_where_none_can_be_made(
    written: Path,
) -> None:
    leave_log_without_index(written)
    written.parent.chmod(0o555)
    told = tabled(written, **BOUND)
    assert told.status == 125
    assert told.stderr == (
        f"error[E408]: {written}: its newest entries are in ledger.db-wal, which cannot be read "
        "where no file can be made: permission denied\n"
        "  try: copy the ledger and its -wal file into a folder that you can write, and read it "
        "there\n"
    )


def test_what_its_remedy_says_helps(written: Path, tmp_path: Path) -> None:
    leave_log_without_index(written)
    copy = tmp_path / "copy"
    shutil.copytree(written.parent, copy)
    assert principals(listed(copy / "ledger.db", **BOUND)) == ["alice", "bob"]


# Words of the system


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, LedgerDiskFull, "its disk is full"),
        (errno.EDQUOT, LedgerDiskFull, "quota of its disk is used up"),
        (errno.EFBIG, LedgerDiskFull, "the limit on the size of files"),
        (errno.EACCES, LedgerForbidden, "Permission denied"),
        (errno.EROFS, LedgerForbidden, "Read-only file system"),
        (errno.EMFILE, LedgerUnavailable, "Too many open files"),
        (errno.EIO, LedgerUnavailable, "Input/output error"),
    ],
)
def test_what_the_system_says_is_one_of_these(
    tmp_path: Path, number: int, kind: type[LedgerError], words: str
) -> None:
    error = of_system(tmp_path / "ledger.db", OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert words in str(error)


def test_a_process_without_a_free_descriptor_is_told_that(written: Path) -> None:
    said = in_child(
        f"""
import os, resource
from pathlib import Path
from atectl.errors import LedgerError
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
path = Path({str(written)!r})
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for _ in range(3):
    try:
        SqliteLedgerStore(path, host="here", read_only=True).close()
    except LedgerError as error:
        print(error)
    os.close(taken.pop())
"""
    )
    assert said.splitlines()[0] == f"{written}: Too many open files"
