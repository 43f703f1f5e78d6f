"""The stored ledger under what happens to real hosts: kills, full disks, locks, permissions."""

import json
import os
import random
import sqlite3
import stat
import struct
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from atectl import errors
from atectl.ledger_store.records import LOST
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, finish, make_lease, own_process
from tests.support.python_child import AS_NOBODY
from tests.support.waiting import wait_until

KILLS = 200
AT_A_TIME = 4

WRITER = """
import os, struct, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.support.lease_records import HOST, finish, make_lease, own_process
from atectl.ledger_store.sqlite.store import SqliteLedgerStore

path, name, progress = Path(sys.argv[2]), sys.argv[3], os.open(sys.argv[4], os.O_RDWR)
here = own_process() | {"updated_at": time.time(), "high_water_bytes": 0}
os.pwrite(progress, struct.pack("Q", here["pid"]), 16)
store = SqliteLedgerStore(path, host=HOST, busy_timeout_s=60)
for n in range(1, 1_000_000):
    os.pwrite(progress, struct.pack("Q", n), 0)
    lease = make_lease(id=name, principal=name, **here, peak_bytes=n, fuel=n)
    # New rows spread a flush over many pages of the file, tables and indexes.
    others = [
        finish(lease._replace(id=f"{name}-{n}-{m}", label="x" * 300), finished_at=n + m)
        for m in range(5)
    ]
    store.flush([lease, *others])
    os.pwrite(progress, struct.pack("Q", n), 8)
"""
"""Tells the last peak it began to store, the last it had stored, and that it began at all."""


class KilledWriter:
    """A process that stores ever higher peaks until it is killed."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._progress = path.with_name(f"{name}.progress")
        self._progress.write_bytes(bytes(24))
        helpers = str(Path(__file__).parents[2])
        command = [sys.executable, "-c", WRITER, helpers, path, name, self._progress]
        self._process = subprocess.Popen(command)

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait() == -9

    @property
    def has_begun(self) -> bool:
        return self._read()[2] != 0

    @property
    def stored_and_begun_bytes(self) -> tuple[int, int]:
        begun, stored, _ = self._read()
        return stored, begun

    def _read(self) -> tuple[int, int, int]:
        begun, stored, pid = struct.unpack("3Q", self._progress.read_bytes())
        return begun, stored, pid


def kill_some(path: Path, names: list[str], chance: random.Random) -> list[KilledWriter]:
    writers = [KilledWriter(path, name) for name in names]
    wait_until(lambda: all(writer.has_begun for writer in writers))
    for number, writer in enumerate(writers):
        if number % 2:  # half of them had stored something, however slow the machine is
            wait_until(lambda writer=writer: writer.stored_and_begun_bytes[0] > 0)
        time.sleep(chance.uniform(0, 0.02))
        writer.kill()
    return writers


def test_no_instant_of_a_kill_harms_the_ledger(tmp_path: Path) -> None:
    chance = random.Random(20)
    killed: list[KilledWriter] = []
    for first in range(0, KILLS, AT_A_TIME):
        # Now and then a new file, so that its creation is hit as well.
        if first % (5 * AT_A_TIME) == 0:
            killed.clear()
            path = tmp_path / f"ledger-{first}.db"
        names = [f"w{first + n}" for n in range(AT_A_TIME)]
        killed += kill_some(path, names, chance)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with closing(SqliteLedgerStore(path, host=HOST)) as store:
            leases = {lease.id: lease for lease in store.running()}
            accounts = {account.principal: account for account in store.accounts()}
            assert leases.keys() == accounts.keys()
            for writer in killed:
                stored, begun = writer.stored_and_begun_bytes
                if writer.name not in accounts:
                    assert stored == 0
                    continue
                lease, account = leases[writer.name], accounts[writer.name]
                assert stored <= account.peak_bytes <= begun
                assert lease.state == LOST
                assert account.running_leases == 0
                # Of one flush all is there or nothing.
                assert lease.peak_bytes == account.peak_bytes
                assert account.leases == 1 + 5 * account.peak_bytes
    assert any(writer.stored_and_begun_bytes[0] for writer in killed)


def told(source: str, *arguments: object) -> list[str]:
    """What `source` has to say, run in a process of its own; one list of lines."""
    prelude = """
        import json, os, resource, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from tests.support.lease_records import HOST, finish, make_lease
        from atectl import errors
        from atectl.ledger_store.sqlite.store import SqliteLedgerStore
        path = Path(sys.argv[2])
        said = []
        def attempt(action):
            try:
                said.append(f"done {action()}")
            except errors.LedgerError as error:
                said.append(f"{type(error).__name__} {error}")
    """
    whole = "\n".join(
        [textwrap.dedent(prelude), textwrap.dedent(source), "print(json.dumps(said))"]
    )
    helpers = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", whole, helpers, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.stderr == ""
    return json.loads(found.stdout)


@pytest.fixture
def written(open_folder: Path) -> Path:
    """A ledger of one finished lease, which others may read."""
    path = open_folder / "ledger.db"
    with closing(SqliteLedgerStore(path, host=HOST)) as store:
        store.flush([finish(make_lease())])
    path.chmod(0o644)
    return path


class TestWithoutPermission:
    """As a user whom permission bits bind: root becomes nobody."""

    def run(self, source: str, *arguments: object) -> list[str]:
        imports = "import atectl.ledger_store.sqlite.obstacles"
        return told(f"{imports}\n{AS_NOBODY}{textwrap.dedent(source)}", *arguments)

    READ = """
        store = SqliteLedgerStore(path, host=HOST, read_only=True)
        attempt(lambda: [lease.id for lease in store.history()])
        store.close()
    """

    READ_ALL = "l.id for l in SqliteLedgerStore(path, host=HOST, read_only=True).history()"

    OPEN = "attempt(lambda: SqliteLedgerStore(path, host=HOST))"

    def test_a_closed_ledger_is_read_from_a_read_only_folder(self, written: Path) -> None:
        before = written.read_bytes()
        written.chmod(0o444)
        written.parent.chmod(0o555)
        assert self.run(self.READ, written) == ["done ['lease-1']"]
        assert written.read_bytes() == before

    def test_an_open_ledger_is_read_from_a_read_only_folder(self, written: Path) -> None:
        with closing(SqliteLedgerStore(written, host=HOST)) as writer:
            writer.flush([finish(make_lease(id="lease-2", updated_at=time.time()))])
            written.parent.chmod(0o555)
            assert self.run(self.READ, written) == ["done ['lease-2', 'lease-1']"]

    def test_a_killed_hosts_ledger_is_read_from_a_read_only_folder(self, written: Path) -> None:
        told(
            """
            store = SqliteLedgerStore(path, host=HOST)
            store.flush([finish(make_lease(id="lease-2", updated_at=2e9))])
            print("[]", flush=True)
            os._exit(0)
            """,
            written,
        )
        assert written.with_name("ledger.db-wal").stat().st_size > 0
        written.parent.chmod(0o555)
        assert self.run(self.READ, written) == ["done ['lease-2', 'lease-1']"]

    def test_a_log_that_cannot_be_read_is_not_left_out_in_silence(self, written: Path) -> None:
        with closing(SqliteLedgerStore(written, host=HOST)) as writer:
            writer.flush([finish(make_lease(id="lease-2", updated_at=time.time()))])
            log = written.with_name("ledger.db-wal").read_bytes()
            main = written.read_bytes()
        written.write_bytes(main)
        written.with_name("ledger.db-wal").write_bytes(log)
        written.parent.chmod(0o555)
        (said,) = self.run(f"attempt(lambda: [{self.READ_ALL}])", written)
        assert said.startswith(f"LedgerLogUnreadable {written}: ")

    def test_a_read_only_file_cannot_be_written(self, written: Path) -> None:
        written.chmod(0o444)
        before = written.read_bytes()
        written.parent.chmod(0o555)
        (said,) = self.run(self.OPEN, written)
        assert said.startswith(f"LedgerForbidden {written} may not be ")
        assert written.read_bytes() == before

    def test_a_ledger_cannot_be_created_in_a_read_only_folder(self, open_folder: Path) -> None:
        open_folder.chmod(0o555)
        path = open_folder / "ledger.db"
        assert self.run(self.OPEN, path) == [f"LedgerForbidden {path}: Permission denied"]

    def test_an_unreadable_ledger_is_named(self, written: Path) -> None:
        written.chmod(0o000)
        (said,) = self.run(self.OPEN.replace("HOST)", "HOST, read_only=True)"), written)
        assert said.startswith(f"LedgerForbidden {written} may not be ")


def test_a_full_disk_is_named_and_loses_nothing(written: Path) -> None:
    """The limit on a file's size stands for the end of the disk; `test_ledger_places` has disks."""
    said = told(
        """
        store = SqliteLedgerStore(path, host=HOST)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
        big = [make_lease(id=f"l{n}", principal=f"p{n}", label="x" * 500) for n in range(1000)]
        attempt(lambda: store.flush(big))
        attempt(lambda: [account.principal for account in store.accounts()])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        attempt(lambda: store.flush(big))
        attempt(lambda: len(store.accounts()))
        store.close()
        """,
        written,
    )
    assert said[0].startswith(f"LedgerDiskFull {written} may not grow: ")
    assert said[1:] == ["done ['alice']", "done None", "done 1001"]
    with closing(sqlite3.connect(written)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_ledger_locked_for_long_is_busy_and_usable_afterwards(written: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys\n"
            "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "connection.execute('BEGIN EXCLUSIVE')\n"
            "print('locked', flush=True)\n"
            "sys.stdin.read()\n",
            str(written),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with closing(SqliteLedgerStore(written, host=HOST, busy_timeout_s=0.3)) as store:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(errors.LedgerBusy):
            store.flush([make_lease(id="late")])
        assert [lease.id for lease in store.history()] == ["lease-1"]
        holder.communicate()
        store.flush([make_lease(id="late", **own_process(), updated_at=time.time())])
        assert [lease.id for lease in store.running()] == ["late"]


def test_a_moved_ledger_is_replaced_by_a_new_private_one(written: Path) -> None:
    """What the remedy of a damaged ledger says to do works, old log or not."""
    with closing(SqliteLedgerStore(written, host=HOST)) as store:
        store.flush([make_lease(id="logged", updated_at=time.time())])
        log = written.with_name("ledger.db-wal").read_bytes()
    os.rename(written, written.with_name("moved.db"))  # noqa: PTH104
    written.with_name("ledger.db-wal").write_bytes(log)
    with closing(SqliteLedgerStore(written, host=HOST)) as store:
        assert store.accounts() == store.running() == []
        store.flush([finish(make_lease(id="new"))])
        assert [lease.id for lease in store.history()] == ["new"]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
