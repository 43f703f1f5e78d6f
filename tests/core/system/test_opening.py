"""Opening files where a guest may have made links."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from atectl.system import opening
from atectl.system.opening import LinkInTheWay, open_unbent
from tests.support.descriptors import open_descriptors, opened_since


@pytest.fixture(params=["openat2", "walk"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """By the system's own call, and where it is missing."""
    monkeypatch.setattr(opening, "_has_openat2", [request.param == "openat2"])
    yield
    assert opening._has_openat2 == [request.param == "openat2"]


pytestmark = pytest.mark.usefixtures("_both_ways")


def content(path: Path | str) -> bytes:
    descriptor = open_unbent(str(path), os.O_RDONLY)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "secret").write_text("secret")
    (tmp_path / "work" / "sub").mkdir(parents=True)
    (tmp_path / "work" / "sub" / "file").write_text("file")
    return tmp_path


def test_what_no_link_leads_to_is_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert content(tree / "work/sub/file") == b"file"
    assert content(tree / "work/../work/./sub//file") == b"file"
    monkeypatch.chdir(tree / "work")
    assert content("sub/file") == b"file"
    assert content("../host/secret") == b"secret"


@pytest.mark.parametrize("target", ["../host/secret", "secret", "{tree}/host/secret"])
def test_a_link_in_place_of_the_file_is_not_followed(tree: Path, target: str) -> None:
    (tree / "work" / "in").symlink_to(target.format(tree=tree))
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_PATH):
        with pytest.raises(LinkInTheWay):
            open_unbent(str(tree / "work" / "in"), flags)
    assert (tree / "host" / "secret").read_text() == "secret"


def test_a_link_on_the_way_is_not_followed(tree: Path) -> None:
    (tree / "work" / "sub2").symlink_to("../host")
    with pytest.raises(LinkInTheWay):
        content(tree / "work/sub2/secret")
    with pytest.raises(LinkInTheWay):
        open_unbent(str(tree / "work/sub2/new"), os.O_WRONLY | os.O_CREAT)
    assert not (tree / "host" / "new").exists()


def test_a_file_is_made_with_the_usual_mode(tree: Path) -> None:
    before = os.umask(0o027)
    try:
        os.close(open_unbent(str(tree / "work" / "new"), os.O_WRONLY | os.O_CREAT))
    finally:
        os.umask(before)
    assert (tree / "work" / "new").stat().st_mode & 0o777 == 0o640


def test_what_is_not_there_is_not_there(tree: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content(tree / "work" / "nothing")
    with pytest.raises(NotADirectoryError):
        content(tree / "work/sub/file/more")
    os.close(open_unbent(str(tree / "work"), os.O_RDONLY | os.O_DIRECTORY))
    os.close(open_unbent("/", os.O_RDONLY | os.O_DIRECTORY))


def test_links_that_no_guest_can_have_made_are_followed() -> None:
    os.close(open_unbent("/dev/stdin", os.O_PATH))
    os.close(open_unbent("/proc/self/fd", os.O_PATH))
    at_top = [each for each in Path("/").iterdir() if each.is_symlink() and each.is_dir()]
    for each in at_top:
        os.close(open_unbent(str(each), os.O_PATH))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
def test_a_link_in_a_folder_that_this_user_cannot_write_is_followed(open_folder: Path) -> None:
    (open_folder / "real").mkdir(mode=0o755)
    (open_folder / "real" / "file").write_text("file")
    (open_folder / "current").symlink_to("real")
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            os._exit(content(open_folder / "current" / "file") != b"file")
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_links_in_a_circle_end(tree: Path) -> None:
    (tree / "work" / "a").symlink_to("b")
    (tree / "work" / "b").symlink_to("a")
    with pytest.raises(LinkInTheWay):
        content(tree / "work" / "a")


def test_no_descriptor_is_left_open(tree: Path) -> None:
    (tree / "work" / "in").symlink_to("../host/secret")
    before = open_descriptors()
    for path in ("work/in", "work/sub/file", "work/nothing", "work/sub/file/x"):
        for _ in range(5):
            with suppress(OSError):
                content(tree / path)
    assert opened_since(before) == []
