"""The SQLite ledger: its file, its versions, its errors. What any store does is in contract/."""

import os
import random
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atectl import errors
from atectl.accounting import DAY_S, MAX_PRINCIPALS, PERIOD_DAYS
from atectl.ledger_store.errors import LedgerDiskFull
from atectl.ledger_store.records import HISTORY_LEASES, LOST, LeaseRecord
from atectl.ledger_store.sqlite import connection as sqlite_connection
from atectl.ledger_store.sqlite import schema as sqlite_schema
from atectl.ledger_store.sqlite.connection import ledger_error, named_errors
from atectl.ledger_store.sqlite.days import MOST_DAYS
from atectl.ledger_store.sqlite.store import (
    LOST_LEASES,
    RETIRE_EVERY_S,
    SILENCE_S,
    SqliteLedgerStore,
)
from atectl.system import processes
from tests.support.lease_records import HOST, MIB, NOW, finish, is_gone, make_lease
from tests.support.limits import files_no_larger_than


def open_store(path: Path, **options: object) -> SqliteLedgerStore:
    usual: dict[str, object] = {"host": HOST, "clock": lambda: NOW + 1, "is_gone": is_gone}
    return SqliteLedgerStore(path, **usual | options)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteLedgerStore]:
    with closing(open_store(path)) as store:
        yield store


@pytest.fixture
def written(path: Path) -> Path:
    """A ledger with one running lease, which nobody has open."""
    with closing(open_store(path)) as store:
        store.flush([make_lease()])
    return path


def fetch(path: Path, query: str) -> tuple:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchone()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


class TestMoved:
    """The file is removed or moved away, as by somebody who clears or rotates it."""

    def test_a_file_that_was_removed_is_made_anew(
        self, store: SqliteLedgerStore, path: Path
    ) -> None:
        store.flush([make_lease(fuel=5), finish(make_lease(id="ended"))])
        for each in path.parent.glob("ledger.db*"):
            each.unlink()
        store.flush([make_lease(fuel=7), make_lease(id="new", fuel=1)])
        with closing(open_store(path, read_only=True)) as reader:
            assert [lease.id for lease in reader.running()] == ["lease-1", "new"]
            assert [(each.leases, each.fuel) for each in reader.accounts()] == [(2, 8)]
            assert reader.history() == []

    def test_a_file_that_was_moved_keeps_what_it_had(
        self, store: SqliteLedgerStore, path: Path
    ) -> None:
        store.flush([make_lease(id="before", fuel=5)])
        moved = path.rename(path.with_name("moved.db"))
        store.flush([make_lease(id="after", fuel=7)])
        store.flush([make_lease(id="after", fuel=8)])
        for place, fuel in ((moved, 5), (path, 8)):
            with closing(open_store(place, read_only=True)) as reader:
                assert [each.fuel for each in reader.accounts()] == [fuel]

    def test_another_process_that_writes_the_new_file_loses_nothing(
        self, store: SqliteLedgerStore, path: Path
    ) -> None:
        store.flush([make_lease(fuel=5)])
        path.rename(path.with_name("moved.db"))
        with closing(open_store(path)) as other:
            other.flush([make_lease(id="of-other", fuel=1)])
            store.flush([make_lease(fuel=7)])
            other.flush([make_lease(id="of-other", fuel=2)])
            store.close()
            other.flush([make_lease(id="of-other", fuel=3)])
        with closing(open_store(path, read_only=True)) as reader:
            assert [(each.leases, each.fuel) for each in reader.accounts()] == [(2, 10)]

    def test_where_no_file_can_be_made_that_is_told_until_one_can(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        with closing(open_store(folder / "ledger.db")) as store:
            store.flush([make_lease(fuel=5)])
            moved = folder.rename(tmp_path / "moved")
            for _ in range(2):
                with pytest.raises(errors.LedgerUnavailable, match="there is no folder"):
                    store.flush([make_lease(fuel=6)])
            moved.rename(folder)
            store.flush([make_lease(fuel=7)])
            assert [each.fuel for each in store.accounts()] == [7]


class TestFile:
    def test_it_is_private_to_its_user(self, store: SqliteLedgerStore, path: Path) -> None:
        store.flush([make_lease()])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)

    def test_the_mode_an_operator_gave_it_stays(self, written: Path) -> None:
        written.chmod(0o640)
        with closing(open_store(written)) as store:
            store.flush([make_lease(fuel=200)])
        assert stat.S_IMODE(written.stat().st_mode) == 0o640

    def test_it_says_what_it_is(self, written: Path) -> None:
        assert fetch(written, "PRAGMA application_id") == (0x61746563,)
        assert fetch(written, "PRAGMA user_version") == (len(sqlite_schema.MIGRATIONS),)
        assert fetch(written, "PRAGMA journal_mode") == ("wal",)

    @pytest.mark.parametrize("name", ["a b.db", "50%41.db", "what?mode=ro", "a#b", "läger.db"])
    def test_its_name_may_hold_any_character(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        with closing(open_store(path)) as store:
            store.flush([make_lease()])
        assert path.is_file()
        with closing(open_store(path, read_only=True)) as reader:
            assert reader.running() == [make_lease()]

    def test_its_path_may_be_relative(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        open_store(Path("ledger.db")).close()
        assert path.is_file()

    def test_an_empty_file_becomes_a_ledger(self, path: Path) -> None:
        path.touch()
        with closing(open_store(path)) as store:
            store.flush([make_lease()])
            assert store.running() == [make_lease()]

    def test_its_folder_is_created_at_the_default_place(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "atectl" / "ledger.db"
        open_store(path, at_default_place=True).close()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_a_named_folder_is_not_created(self, tmp_path: Path) -> None:
        with pytest.raises(errors.LedgerUnavailable, match="there is no folder") as caught:
            open_store(tmp_path / "none" / "ledger.db")
        assert "create the folder" in caught.value.remedy
        assert not (tmp_path / "none").exists()

    def test_a_folder_is_no_ledger(self, tmp_path: Path) -> None:
        with pytest.raises(errors.LedgerUnavailable, match="not a regular file"):
            open_store(tmp_path)

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_fifo_is_refused_at_once(self, path: Path, read_only: bool) -> None:
        os.mkfifo(path)
        with pytest.raises(errors.LedgerUnavailable, match="not a regular file"):
            open_store(path, read_only=read_only)

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_path_that_cannot_be_is_refused(self, tmp_path: Path, read_only: bool) -> None:
        for name in ("nul\0", "x" * 300):
            with pytest.raises(errors.LedgerUnavailable):
                open_store(tmp_path / name, read_only=read_only)

    def test_a_dangling_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "nothing")
        with pytest.raises(errors.LedgerUnavailable, match="No such file"):
            open_store(tmp_path / "link")


class TestReading:
    def test_a_missing_ledger_is_not_created(self, path: Path) -> None:
        with pytest.raises(errors.LedgerUnavailable, match="No such file"):
            open_store(path, read_only=True)
        assert list(path.parent.iterdir()) == []

    def test_a_missing_ledger_at_the_default_place_is_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "atectl" / "ledger.db"
        with closing(open_store(path, read_only=True, at_default_place=True)) as store:
            assert store.accounts() == store.running() == store.history() == []
            assert store.account("alice") is None
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_file_reads_as_empty_and_stays_empty(self, path: Path) -> None:
        path.touch()
        with closing(open_store(path, read_only=True)) as store:
            assert store.accounts() == []
        assert path.stat().st_size == 0

    def test_a_reader_follows_a_writer(self, store: SqliteLedgerStore, path: Path) -> None:
        with closing(open_store(path, read_only=True)) as reader:
            store.flush([make_lease()])
            assert reader.running() == [make_lease()]
            store.flush([make_lease(fuel=200)])
            assert reader.running() == [make_lease(fuel=200)]

    def test_a_reader_cannot_write(self, written: Path) -> None:
        with closing(open_store(written, read_only=True)) as reader:
            with pytest.raises(errors.LedgerUnavailable, match="readonly"):
                reader.flush([make_lease(fuel=200)])
            with pytest.raises(errors.LedgerUnavailable, match="readonly"):
                reader.reset()
            assert reader.running() == [make_lease()]

    def test_a_reader_does_not_wait_for_a_writer(self, written: Path) -> None:
        with closing(sqlite3.connect(written, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with closing(open_store(written, read_only=True, busy_timeout_s=0)) as reader:
                assert reader.running() == [make_lease()]

    def test_a_ledger_being_written_without_a_log_is_not_read_half_written(
        self, written: Path
    ) -> None:
        change(written, "PRAGMA journal_mode = DELETE")
        with closing(sqlite3.connect(written, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with pytest.raises(errors.LedgerBusy):
                open_store(written, read_only=True, busy_timeout_s=0.1)

    def test_accounts_are_one_snapshot(self, store: SqliteLedgerStore, path: Path) -> None:
        """While another store moves bytes between two leases, their sum never wavers."""
        store.flush([make_lease(id="a", current_bytes=100), make_lease(id="b", current_bytes=0)])

        def move() -> None:
            with closing(open_store(path)) as writer:
                for n in range(200):
                    moved = n % 100
                    writer.flush(
                        [
                            make_lease(id="a", current_bytes=100 - moved),
                            make_lease(id="b", current_bytes=moved),
                        ]
                    )

        mover = threading.Thread(target=move)
        mover.start()
        seen = set()
        while mover.is_alive():
            seen.update(account.current_bytes for account in store.accounts())
        mover.join()
        assert seen == {100}


class TestVersions:
    def test_a_later_ledger_is_refused_and_left_alone(self, written: Path) -> None:
        change(written, "PRAGMA user_version = 99")
        before = written.read_bytes()
        for read_only in (False, True):
            with pytest.raises(errors.LedgerTooNew, match="schema version 99"):
                open_store(written, read_only=read_only)
        assert written.read_bytes() == before

    @pytest.mark.parametrize("read_only", [False, True])
    def test_an_older_ledger_is_brought_up_to_date(
        self, written: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool
    ) -> None:
        self._add_migration(monkeypatch, "ALTER TABLE accounts ADD COLUMN note TEXT")
        with closing(open_store(written, read_only=read_only)) as store:
            assert store.running() == [make_lease()]
        assert fetch(written, "PRAGMA user_version") == (len(sqlite_schema.MIGRATIONS),)
        assert fetch(written, "SELECT note FROM accounts") == (None,)

    def test_a_migration_that_fails_changes_nothing(
        self, written: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._add_migration(
            monkeypatch,
            "ALTER TABLE accounts ADD COLUMN note TEXT",
            "INSERT INTO nowhere VALUES (1)",
        )
        with pytest.raises(errors.LedgerCorrupt, match="nowhere"):
            open_store(written)
        monkeypatch.undo()
        with closing(open_store(written)) as store:
            assert store.running() == [make_lease()]
        assert fetch(written, "PRAGMA user_version") == (len(sqlite_schema.MIGRATIONS),)
        columns = "SELECT count(*) FROM pragma_table_info('accounts') WHERE name = 'note'"
        assert fetch(written, columns) == (0,)

    def test_of_a_ledger_that_knew_nothing_of_compiling_all_is_kept(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as earlier:
            earlier.setattr(sqlite_schema, "MIGRATIONS", sqlite_schema.MIGRATIONS[:1])
            earlier.setattr(sqlite_connection, "MIGRATIONS", sqlite_schema.MIGRATIONS)
            with closing(open_store(path)):
                pass
        row = [*make_lease()[: LeaseRecord._fields.index("sha256")], None, None]  # and no account
        marks = ", ".join("?" * len(row))
        with closing(sqlite3.connect(path, isolation_level=None)) as old:
            old.execute(f"INSERT INTO leases VALUES ({marks})", row)
        with closing(open_store(path)) as store:
            assert store.running() == [make_lease()]
            store.flush([make_lease(cached=False, compile_cpu_s=1.5, sha256="ab")])
            assert store.running() == [make_lease(cached=False, compile_cpu_s=1.5, sha256="ab")]
            account = store.account("alice")
            assert account is not None
            assert account.compile_cpu_s == 1.5

    def test_an_opener_waits_for_one_that_is_creating_it(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            release = threading.Timer(0.2, other.execute, ("ROLLBACK",))
            release.start()
            with closing(open_store(path, busy_timeout_s=60)) as store:
                store.flush([make_lease()])
            release.join()
        assert fetch(path, "PRAGMA journal_mode") == ("wal",)

    def test_an_opener_does_not_wait_for_ever(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(errors.LedgerBusy, match="locked"):
                open_store(path, busy_timeout_s=0.1)

    def test_openers_may_race_to_create_it(self, path: Path) -> None:
        start = threading.Barrier(8)
        failures: list[BaseException] = []

        def create(n: int) -> None:
            start.wait()
            try:
                with closing(open_store(path, busy_timeout_s=60)) as store:
                    store.flush([make_lease(id=f"l{n}")])
            except BaseException as error:
                failures.append(error)

        racers = [threading.Thread(target=create, args=(n,)) for n in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert failures == []
        with closing(open_store(path)) as store:
            assert len(store.running()) == 8

    @staticmethod
    def _add_migration(monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
        migrations = (*sqlite_schema.MIGRATIONS, statements)
        monkeypatch.setattr(sqlite_schema, "MIGRATIONS", migrations)
        monkeypatch.setattr(sqlite_connection, "MIGRATIONS", migrations)


class TestForeignAndDamaged:
    """Whatever is no sound ledger is named as such and keeps every byte it has."""

    @pytest.mark.parametrize("read_only", [False, True])
    @pytest.mark.parametrize(
        "content",
        [
            b"x",
            b"\x89PNG" * 300,
            random.Random(1).randbytes(8192),
            b"SQLite format 3\0" + b"\xff" * 4080,
        ],
        ids=["one byte", "picture", "random", "only the magic"],
    )
    def test_no_database(self, path: Path, content: bytes, read_only: bool) -> None:
        path.write_bytes(content)
        with pytest.raises(errors.LedgerCorrupt, match="not a database"):
            open_store(path, read_only=read_only)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("read_only", [False, True])
    def test_another_programs_database(self, path: Path, read_only: bool) -> None:
        change(path, "CREATE TABLE places (url TEXT)", "INSERT INTO places VALUES ('here')")
        before = path.read_bytes()
        with pytest.raises(errors.LedgerCorrupt, match="no atectl ledger"):
            open_store(path, read_only=read_only)
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]

    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
    def test_a_ledger_cut_short(self, written: Path, kept: float) -> None:
        whole = written.read_bytes()
        cut = whole[: int(len(whole) * kept)]
        written.write_bytes(cut)
        with pytest.raises(errors.LedgerCorrupt):
            self._use(written)
        assert written.read_bytes() == cut

    def test_garbage_in_its_middle(self, written: Path) -> None:
        content = bytearray(written.read_bytes())
        page = 4096
        content[page : 3 * page] = random.Random(2).randbytes(2 * page)
        written.write_bytes(content)
        with pytest.raises(errors.LedgerCorrupt):
            self._use(written)
        assert written.read_bytes() == bytes(content)

    def test_any_damaged_page_is_a_named_error_or_does_no_harm(self, path: Path) -> None:
        with closing(open_store(path)) as store:
            store.flush(make_lease(id=f"l{n}", principal=f"p{n}") for n in range(60))
        sound = path.read_bytes()
        chance = random.Random(3)
        named = 0
        for _ in range(150):
            content = bytearray(sound)
            at = chance.randrange(100, len(content) - 16)
            content[at : at + 16] = chance.randbytes(16)
            path.write_bytes(content)
            try:
                self._use(path)
            except errors.LedgerError:
                named += 1
            for name in ("ledger.db-wal", "ledger.db-shm"):
                path.with_name(name).unlink(missing_ok=True)
        assert named > 0

    def test_damage_that_sqlite_quotes_in_its_reason(self, written: Path) -> None:
        content = written.read_bytes()
        for sound, damaged in [
            (b"tableaccountsaccounts", b"tableacc\xff\xfentsaccounts"),
            (b"serial INTEGER PRIMARY", b"serial ,,,,,,, PRIMARY"),
        ]:
            assert sound in content
            content = content.replace(sound, damaged)
        written.write_bytes(content)
        with pytest.raises(errors.LedgerCorrupt, match="malformed"):
            self._use(written)

    def test_a_missing_table(self, written: Path) -> None:
        change(written, "DROP TABLE accounts")
        with pytest.raises(errors.LedgerCorrupt, match="no such table"):
            self._use(written)

    def test_text_that_is_no_text_is_shown(self, written: Path) -> None:
        change(written, "UPDATE leases SET capsule = CAST(x'66ff66' AS TEXT)")
        with closing(open_store(written)) as store:
            assert store.running()[0].capsule == "f\ufffdf"

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE accounts SET peak_bytes = 'many'",
            "UPDATE accounts SET last_capsule = x'00'",
            "UPDATE leases SET quota_bytes = 1.5",
            "UPDATE leases SET started_at = 'then'",
            "UPDATE leases SET exit_status = 'x', ended_at = 1",
        ],
    )
    def test_a_value_of_another_type(self, written: Path, damage: str) -> None:
        change(written, damage)
        with pytest.raises(errors.LedgerCorrupt, match="is damaged"):
            self._use(written)

    def test_a_damaged_lease_does_not_stop_others_from_being_stored(self, written: Path) -> None:
        change(written, "UPDATE leases SET fuel = 'x', byte_seconds = x'00', account = 'y'")
        with closing(open_store(written)) as store:
            store.flush([make_lease(), make_lease(id="other")])
            assert len(store.running()) == 2

    def test_a_damaged_account_stops_nobody_elses_until_it_is_reset(self, written: Path) -> None:
        change(written, "UPDATE accounts SET peak_bytes = 'many' WHERE principal = 'alice'")
        with closing(open_store(written)) as store:
            store.flush([make_lease(fuel=200), make_lease(id="bobs", principal="bob", fuel=3)])
            with pytest.raises(errors.LedgerCorrupt, match="the account of 'alice'"):
                store.accounts()
            store.reset("alice")
            store.flush([make_lease(fuel=205)])
            found = {each.principal: (each.leases, each.fuel) for each in store.accounts()}
        assert found["bob"] == (1, 3)
        assert found["alice"] == (1, 5)

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE leases SET principal = x'00', process = 'gone'",
            "UPDATE leases SET process = x'00'",
            "UPDATE leases SET host = 7, pid = 'x', process = x'3a00'",
        ],
    )
    def test_a_damaged_lease_is_told_until_it_is_reset(self, written: Path, damage: str) -> None:
        change(written, damage)
        with closing(open_store(written)) as store:
            with pytest.raises(errors.LedgerCorrupt, match="the lease 'lease-1' of "):
                store.running()
            store.reset("alice")
            assert store.running() == []

    @staticmethod
    def _use(path: Path) -> None:
        with closing(open_store(path)) as store:
            store.accounts()
            store.running()
            store.history()
            store.days(0, 99_999)
            store.flush([make_lease(id="more", principal="more")])


RESULTS = [
    *("ABORT", "AUTH", "BUSY", "CANTOPEN", "CONSTRAINT", "CORRUPT", "ERROR", "FORMAT", "FULL"),
    *("INTERNAL", "INTERRUPT", "IOERR", "LOCKED", "MISMATCH", "MISUSE", "NOLFS", "NOMEM"),
    *("NOTADB", "NOTFOUND", "PERM", "PROTOCOL", "RANGE", "READONLY", "SCHEMA", "TOOBIG"),
]
"""The primary results of SQLite that are errors; an extended result begins with its primary."""

CLASSES = dict.fromkeys(("BUSY", "LOCKED", "PROTOCOL"), errors.LedgerBusy) | dict.fromkeys(
    ("CORRUPT", "NOTADB", "FORMAT", "ERROR", "CONSTRAINT", "MISMATCH"), errors.LedgerCorrupt
)
CLASSES["FULL"] = LedgerDiskFull
"""Those that are not `LedgerUnavailable`, where the system knows of nothing else in the way."""


def primary_result(name: str) -> str:
    return next((result for result in RESULTS if name.startswith(f"SQLITE_{result}")), "")


class TestTransactions:
    def test_a_flush_that_fails_half_way_stores_nothing(
        self, store: SqliteLedgerStore, path: Path
    ) -> None:
        change(
            path,
            "CREATE TRIGGER stop BEFORE INSERT ON leases WHEN NEW.id = 'second' "
            "BEGIN SELECT RAISE(ABORT, 'stopped half way'); END",
        )
        with pytest.raises(errors.LedgerCorrupt, match="stopped half way"):
            store.flush([make_lease(id="first"), make_lease(id="second")])
        assert store.accounts() == store.running() == []
        store.flush([make_lease(id="first")])
        assert store.running() == [make_lease(id="first")]


class TestErrors:
    @pytest.mark.parametrize("name", sorted(filter(primary_result, dir(sqlite3))))
    def test_every_result_of_sqlite_has_its_class(self, name: str, written: Path) -> None:
        error = sqlite3.OperationalError("its own reason")
        error.sqlite_errorcode = getattr(sqlite3, name)
        ours = ledger_error(written, error)
        assert type(ours) is CLASSES.get(primary_result(name), errors.LedgerUnavailable)
        if primary_result(name) != "FULL":
            assert str(ours) == f"{written}: its own reason"

    @pytest.mark.parametrize(
        "kind",
        [
            sqlite3.Error,
            sqlite3.DatabaseError,
            sqlite3.InterfaceError,
            sqlite3.DataError,
            sqlite3.OperationalError,
            sqlite3.IntegrityError,
            sqlite3.InternalError,
            sqlite3.ProgrammingError,
            sqlite3.NotSupportedError,
            OSError,
        ],
    )
    def test_every_exception_without_a_code_is_named(self, kind: type[Exception]) -> None:
        with pytest.raises(errors.LedgerUnavailable, match="the reason"), named_errors(Path("l")):
            raise kind("the reason")

    def test_a_closed_store_says_so(self, store: SqliteLedgerStore) -> None:
        store.close()
        with pytest.raises(errors.LedgerUnavailable, match="closed"):
            store.accounts()

    def test_a_locked_ledger_is_busy_after_the_time_given(self, written: Path) -> None:
        with (
            closing(sqlite3.connect(written, isolation_level=None)) as other,
            closing(open_store(written, busy_timeout_s=0.2)) as store,
        ):
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(errors.LedgerBusy, match="locked"):
                store.flush([make_lease()])
            assert time.monotonic() - began > 0.1
            other.execute("ROLLBACK")
            store.flush([make_lease(fuel=200)])
            assert store.running() == [make_lease(fuel=200)]


class TestLostLeases:
    def test_the_newest_stay_listed_the_others_join_the_history(
        self, store: SqliteLedgerStore
    ) -> None:
        store.flush(
            make_lease(id=f"l{n}", process="gone", updated_at=NOW + n)
            for n in range(LOST_LEASES + 2)
        )
        listed = {lease.id for lease in store.running()}
        assert len(listed) == LOST_LEASES
        assert listed.isdisjoint({"l0", "l1"})
        oldest = store.history(limit=LOST_LEASES + 2)[-2:]
        assert [(lease.id, lease.state, lease.reason) for lease in oldest] == [
            ("l1", LOST, LOST),
            ("l0", LOST, LOST),
        ]

    def test_running_leases_are_never_among_those_put_away(self, store: SqliteLedgerStore) -> None:
        store.flush(
            [
                make_lease(id="alive", updated_at=NOW),
                *(
                    make_lease(id=f"l{n}", process="gone", updated_at=NOW + 9)
                    for n in range(LOST_LEASES + 2)
                ),
            ]
        )
        assert len(store.running()) == LOST_LEASES + 1
        assert "alive" in {lease.id for lease in store.running()}

    def test_processes_are_not_judged_while_leases_are_few(self, path: Path) -> None:
        judged: list[int] = []

        def judge(pid: int, identity: str) -> bool:
            judged.append(pid)
            return False

        with closing(open_store(path, is_gone=judge)) as store:
            store.flush([make_lease(id="a"), make_lease(id="b"), finish(make_lease(id="c"))])
            assert judged == []
            store.running()
            assert judged == [4242]

    def test_processes_are_judged_for_that_once_a_minute(self, path: Path) -> None:
        judged: list[int] = []
        now = NOW

        def judge(pid: int, identity: str) -> bool:
            judged.append(pid)
            return False

        with closing(open_store(path, clock=lambda: now, is_gone=judge)) as store:
            store.flush(make_lease(id=f"l{n}") for n in range(LOST_LEASES + 1))
            store.flush([make_lease(id="l0", fuel=200)])
            assert len(judged) == 1
            now += RETIRE_EVERY_S
            store.flush([make_lease(id="l0", fuel=300)])
            assert len(judged) == 2

    def test_a_process_that_ends_between_two_looks_is_seen_to(self, path: Path) -> None:
        ended: set[int] = set()
        with closing(open_store(path, is_gone=lambda pid, _: pid in ended)) as store:
            store.flush([make_lease()])
            assert [lease.state for lease in store.running()] == ["running"]
            ended.add(4242)
            assert [lease.state for lease in store.running()] == [LOST]

    @pytest.mark.parametrize("host", [HOST, "host-b"])
    def test_a_week_of_silence_ends_a_lease(self, path: Path, host: str) -> None:
        now = NOW
        with closing(open_store(path, clock=lambda: now)) as store:
            store.flush([make_lease(id="silent", host=host, updated_at=NOW)])
            now = NOW + SILENCE_S
            store.flush([make_lease(id="other", updated_at=now)])
            assert {lease.id for lease in store.running()} == {"silent", "other"}
            now += RETIRE_EVERY_S
            store.flush([make_lease(id="other", updated_at=now)])
            assert [lease.id for lease in store.running()] == ["other"]
            assert [(lease.id, lease.state) for lease in store.history()] == [("silent", LOST)]

    def test_a_lease_that_speaks_again_runs_again(self, path: Path) -> None:
        now = NOW + SILENCE_S + 9
        with closing(open_store(path, clock=lambda: now)) as store:
            store.flush([make_lease(updated_at=NOW)])
            store.flush([make_lease(updated_at=now)])
            assert store.running() == [make_lease(updated_at=now)]
            account = store.account("alice")
            assert account is not None
            assert account.leases == 1


class TestClockAhead:
    """A clock that goes ahead for a while takes no true days along."""

    @pytest.fixture
    def true_days(self, path: Path) -> list[int]:
        """The days of a ledger that has been used on each of the last four hundred."""
        today = int(NOW // DAY_S)
        with closing(open_store(path, clock=lambda: NOW)) as store:
            for day in range(PERIOD_DAYS):
                moment = NOW - day * DAY_S
                store.flush([make_lease(id=f"l{day}", started_at=moment, updated_at=moment)])
            used = [each.day for each in store.days(0, today)]
        assert len(used) == PERIOD_DAYS
        return used

    @pytest.mark.parametrize("days_ahead", [1, 365, 5_000])
    def test_for_what_begins_meanwhile(
        self, path: Path, true_days: list[int], days_ahead: int
    ) -> None:
        ahead = NOW + days_ahead * DAY_S
        with closing(open_store(path, clock=lambda: ahead)) as store:
            store.flush([make_lease(id="new", started_at=ahead, updated_at=ahead)])
        with closing(open_store(path)) as store:
            assert [each.day for each in store.days(0, true_days[-1])] == true_days

    @pytest.mark.parametrize("days_ahead", [1, 365, 5_000])
    def test_for_what_runs_meanwhile(
        self, path: Path, true_days: list[int], days_ahead: int
    ) -> None:
        ahead = NOW + days_ahead * DAY_S
        with closing(open_store(path, clock=lambda: ahead)) as store:
            store.flush([make_lease(id="l0", started_at=NOW, updated_at=ahead, fuel=10**6)])
        with closing(open_store(path)) as store:
            assert [each.day for each in store.days(0, true_days[-1])] == true_days

    def test_and_days_that_are_due_to_go_go_again(self, path: Path, true_days: list[int]) -> None:
        ahead = NOW + 5_000 * DAY_S
        with closing(open_store(path, clock=lambda: ahead)) as store:
            store.flush([make_lease(id="l0", started_at=NOW, updated_at=ahead, fuel=10**6)])
        tomorrow = NOW + DAY_S
        with closing(open_store(path, clock=lambda: tomorrow)) as store:
            store.flush([make_lease(id="next", started_at=tomorrow, updated_at=tomorrow)])
        with closing(sqlite3.connect(path)) as file:
            [(count,)] = file.execute("SELECT count(DISTINCT day) FROM days WHERE day >= 0")
        assert count == MOST_DAYS

    def test_and_an_account_is_told_by_what_begins_once_it_is_right_again(self, path: Path) -> None:
        now = NOW + DAY_S
        early = make_lease(id="early", started_at=now, updated_at=now, quota_bytes=5)
        late = make_lease(id="late", updated_at=NOW, quota_bytes=7, capsule="late.wasm")
        with closing(open_store(path, clock=lambda: now)) as store:
            store.flush([early])
            now = NOW + 1
            store.flush([early])
            store.flush([late])
            store.flush([early._replace(updated_at=NOW)])
            account = store.account("alice")
        assert account is not None
        assert (account.quota_bytes, account.last_capsule) == (7, "late.wasm")
        assert account.updated_at == NOW

    def test_and_lost_leases_are_seen_to_once_it_is_right_again(self, path: Path) -> None:
        now = NOW + DAY_S
        with closing(open_store(path, clock=lambda: now)) as store:
            store.flush([make_lease(id="now", updated_at=NOW)])
            silent = NOW - SILENCE_S - RETIRE_EVERY_S
            store.flush([make_lease(id="silent", started_at=silent, updated_at=silent)])
            now = NOW
            store.flush([make_lease(id="now", updated_at=NOW)])
            assert [lease.id for lease in store.running()] == ["now"]


def test_the_file_holds_no_more_finished_leases_than_the_history(
    store: SqliteLedgerStore, path: Path
) -> None:
    store.flush(
        finish(make_lease(id=f"l{n}"), finished_at=NOW + n) for n in range(HISTORY_LEASES + 1)
    )
    store.flush([finish(make_lease(id="one more"), finished_at=NOW - 1)])
    assert fetch(path, "SELECT count(*), min(ended_at) FROM leases") == (HISTORY_LEASES, NOW + 1)


def test_a_flush_into_a_full_ledger_reads_no_whole_table(
    store: SqliteLedgerStore, path: Path
) -> None:
    store.flush(
        make_lease(id=f"l{n}", principal=f"p{n}", peak_bytes=n) for n in range(MAX_PRINCIPALS)
    )
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    store.flush([finish(make_lease(id="new", principal="newcomer"))])
    store._connection.set_trace_callback(None)
    assert any(statement.startswith("DELETE FROM accounts") for statement in statements)
    plans = []
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("is_lost", 3, lambda *_: False)
        for statement in statements:
            # Counting the accounts goes over the pages of an index, not over its rows.
            if "count(*) FROM accounts" not in statement:
                plans += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    scans = [plan for plan in plans if plan.startswith("SCAN accounts") or plan == "SCAN leases"]
    # The lowest account is the first in the index by peak, and no further is read.
    assert scans == ["SCAN accounts USING COVERING INDEX accounts_by_peak"]


def test_listing_a_full_ledger_is_quick(store: SqliteLedgerStore) -> None:
    store.flush(
        make_lease(id=f"l{n}", principal=f"p{n}", current_bytes=MIB, pid=n)
        for n in range(MAX_PRINCIPALS)
    )
    began = time.process_time()
    accounts = store.accounts()
    assert time.process_time() - began < 0.5
    assert sum(account.current_bytes for account in accounts) == MAX_PRINCIPALS * MIB


class TestAfterTheMachineWasStartedAnew:
    """A host may go by another name in the ledger than its machine has (`--host-name`)."""

    EARLIER = "boot-1:1:5"

    @pytest.fixture
    def from_before(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A ledger that this machine wrote in an earlier boot, under another name."""
        with monkeypatch.context() as earlier:
            earlier.setattr(processes, "_boot", lambda: "boot-1")
            with closing(open_store(path)) as store:
                store.flush([make_lease(host="east", process=self.EARLIER)])
        return path

    def states(self, path: Path, **options: object) -> list[str]:
        with closing(open_store(path, is_gone=processes.is_gone, **options)) as store:
            return [lease.state for lease in store.running()]

    def test_its_leases_of_the_earlier_boot_are_lost_at_once(self, from_before: Path) -> None:
        assert self.states(from_before, read_only=True) == [LOST]

    def test_another_machine_cannot_tell(self, from_before: Path) -> None:
        assert self.states(from_before, host="host-b", read_only=True) == ["running"]

    def test_a_boot_is_noted_though_the_disk_was_full_at_first(self, path: Path) -> None:
        with closing(open_store(path)) as store:
            log = path.with_name(f"{path.name}-wal")
            with files_no_larger_than(log.stat().st_size), pytest.raises(errors.LedgerError):
                store.flush([make_lease()])
            store.flush([make_lease()])
        assert fetch(path, "SELECT machine FROM boots") == (HOST,)

    def test_a_boot_is_noted_once(self, path: Path) -> None:
        for _ in range(3):
            with closing(open_store(path)) as store:
                store.flush([make_lease()])
                store.flush([make_lease()])
        assert fetch(path, "SELECT count(*), max(machine) FROM boots") == (1, HOST)
