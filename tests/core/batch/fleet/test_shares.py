"""Folders that a host shares, and what jobs may name of them."""

from pathlib import Path

import pytest

from atectl.batch.fleet.errors import BadShare
from atectl.batch.fleet.shares import Shares, parse_share
from atectl.budget.errors import NotOnHosts
from atectl.engine.wasi import Folder, Streams, WasiSettings


def test_a_share_is_a_name_and_a_folder_as_it_really_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert parse_share(f"data={tmp_path}/link") == ("data", tmp_path / "real")


@pytest.mark.parametrize("text", ["data", "=/tmp", "a b=/tmp", "data=", "data=/no/such", "../x=/"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadShare):
        parse_share(text)


def test_paths_in_shares_become_paths_of_the_host(tmp_path: Path) -> None:
    wasi = WasiSettings(
        ("a",),
        folders=(Folder("share:data/in", "/in", True), Folder("share:data", "/all", False)),
        streams=Streams("share:data/x", None, "share:data//y"),
    )
    settled = Shares({"data": tmp_path}).settled(wasi)
    assert settled.folders == (
        Folder(f"{tmp_path}/in", "/in", True),
        Folder(str(tmp_path), "/all", False),
    )
    assert settled.streams == Streams(f"{tmp_path}/x", None, f"{tmp_path}/y")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "share:other/x", "share:data/../x", "share:", "share:../x", "x"]
)
def test_a_path_in_no_share_of_the_host_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(NotOnHosts):
        Shares({"data": tmp_path}).settled(WasiSettings(("a",), streams=Streams(stdout=path)))
