"""What shells are offered from the ledger."""

from contextlib import closing
from pathlib import Path

import pytest

from atectl.commands.options.candidates import complete_label, complete_principal
from atectl.ledger_store.opening import open_for_writing
from tests.support.ledger_records import finished, just_now, lease


@pytest.fixture
def filled() -> None:
    with closing(open_for_writing()) as store:
        store.flush(
            [
                lease("beta", id="1", label="nightly build", **just_now()),
                finished("alpha", id="2", label="nightly"),
                finished("alphabet", id="3", label="adhoc"),
                finished("gamma", id="4"),
            ]
        )


@pytest.mark.usefixtures("filled")
def test_principals_that_begin_so_in_alphabetical_order() -> None:
    assert complete_principal("al") == ["alpha", "alphabet"]
    assert complete_principal("") == ["alpha", "alphabet", "beta", "gamma"]


@pytest.mark.usefixtures("filled")
def test_labels_of_running_and_finished_leases_but_not_the_empty_one() -> None:
    assert complete_label("") == ["adhoc", "nightly", "nightly build"]
    assert complete_label("nightly ") == ["nightly build"]


def test_without_a_ledger_nothing_is_offered() -> None:
    assert complete_principal("") == complete_label("") == []


@pytest.mark.parametrize("place", ["none", "/nonexistent/ledger.db"])
def test_a_ledger_that_cannot_be_read_is_no_error(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATECTL_LEDGER", place)
    assert complete_principal("") == complete_label("") == []


def test_a_file_that_is_no_ledger_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.png").write_bytes(b"PNG" * 1000)
    monkeypatch.setenv("ATECTL_LEDGER", str(tmp_path / "photo.png"))
    assert complete_principal("") == complete_label("") == []


def test_a_broken_configuration_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "atectl.toml").write_text("][")
    monkeypatch.setenv("ATECTL_CONFIG", str(tmp_path / "atectl.toml"))
    assert complete_principal("") == complete_label("") == []
