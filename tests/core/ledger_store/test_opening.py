"""Which ledger is opened, and what a missing one means."""

from contextlib import closing
from pathlib import Path

import pytest

from atectl import config
from atectl.errors import LedgerUnavailable
from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.redis import spooling
from tests.support.ledger_records import finished
from tests.support.redis_servers import Server


def write(place: str | None) -> None:
    with closing(open_for_writing(place)) as store:
        store.flush([finished("written")])


def principals(place: str | None) -> list[str]:
    with closing(open_for_reading(place)) as store:
        return [account.principal for account in store.accounts()]


def test_what_is_written_at_the_default_place_is_read_there() -> None:
    write(None)
    assert principals(None) == ["written"]
    assert config.default_ledger_path().exists()


def test_the_default_ledger_reads_as_empty_before_anything_ran() -> None:
    assert principals(None) == []
    assert not config.default_ledger_path().exists()


def test_a_flag_names_another_place(tmp_path: Path) -> None:
    place = str(tmp_path / "other.db")
    write(place)
    assert principals(place) == ["written"]
    assert principals(None) == []


def test_the_environment_names_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "other.db")
    monkeypatch.setenv("ATECTL_LEDGER", place)
    write(None)
    assert principals(place) == ["written"]


def test_a_named_ledger_must_exist_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        open_for_reading(str(tmp_path / "missing.db"))


def test_the_folder_of_a_named_ledger_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        open_for_writing(str(tmp_path / "missing" / "ledger.db"))
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("open_ledger", [open_for_reading, open_for_writing])
def test_where_no_ledger_is_kept_there_is_none_to_open(open_ledger: object) -> None:
    with pytest.raises(LedgerUnavailable, match="no ledger is kept"):
        open_ledger("none")


def test_a_server_that_lost_everything_is_told_again_by_a_host_that_was_without_it(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "RETRY_S", 0)
    with closing(open_for_writing(valkey.url)) as host:
        host.flush([finished("told", id="a")])
        valkey.kill()
        host.flush([finished("later", id="b")])  # waits in a file
        valkey.start()
        host.flush([finished("last", id="c")])
        assert set(principals(valkey.url)) == {"told", "later", "last"}
