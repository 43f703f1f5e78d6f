"""Where a budget file is written: over what is there, and on file systems without links."""

import errno
import os
import stat
from pathlib import Path

import pytest

from atectl.budget.errors import BudgetUnwritable
from atectl.budget.writing import write_budget


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_names: object, **_folders: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_a_file_system_without_links_takes_a_new_file(tmp_path: Path) -> None:
    write_budget(tmp_path / "b.toml", "text", replace=False)
    assert (tmp_path / "b.toml").read_text() == "text"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.usefixtures("without_links")
def test_and_replaces_none_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.toml").write_text("other")
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)  # it came a moment later
    with pytest.raises(BudgetUnwritable, match="already there"):
        write_budget(tmp_path / "b.toml", "text", replace=False)
    assert (tmp_path / "b.toml").read_text() == "other"


def test_what_is_replaced_leaves_its_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text("other")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 65_534, 65_533)
    before = path.stat()
    write_budget(path, "text", replace=True)
    after = path.stat()
    assert path.read_text() == "text"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "b.toml").symlink_to(target)
    with pytest.raises(BudgetUnwritable, match="is a link"):
        write_budget(tmp_path / "b.toml", "text", replace=True)
    assert target.read_text() == "precious"


def test_a_new_file_goes_by_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_budget(tmp_path / "b.toml", "text", replace=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b.toml").stat().st_mode) == 0o600


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BudgetUnwritable, match="File name too long"):
        write_budget(tmp_path / ("x" * 5000), "text", replace=False)
