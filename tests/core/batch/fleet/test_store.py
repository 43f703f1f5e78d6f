"""Capsules that come by content: checked, kept within a bound, and not removed in use."""

import hashlib
import os
from pathlib import Path

import pytest

from atectl.batch.fleet.store import CapsuleStore
from atectl.errors import CacheUnusable, CapsuleUnreadable

MIB = 1 << 20


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> CapsuleStore:
    return CapsuleStore(tmp_path / "arrived", 2 * MIB, MIB)


def receive(store: CapsuleStore, content: bytes, *, named: str = "") -> bool:
    """Send a content in two parts; whether it was wrong."""
    half, name = len(content) // 2, named or sha256(content)
    assert not store.receive(name, "s1", 0, content[:half], is_last=False)
    return store.receive(name, "s1", half, content[half:], is_last=True)


def test_a_content_that_has_come_is_there_under_the_name_of_its_file(store: CapsuleStore) -> None:
    assert not receive(store, b"content")
    path = store.take(sha256(b"content"), "a.wasm")
    assert (path.name, path.read_bytes()) == ("a.wasm", b"content")


def test_a_content_of_another_hash_is_not_kept(store: CapsuleStore, tmp_path: Path) -> None:
    assert receive(store, b"content", named=sha256(b"other"))
    assert not store.find(sha256(b"other"))
    assert list((tmp_path / "arrived").iterdir()) == []


def test_a_part_that_does_not_follow_is_wrong(store: CapsuleStore) -> None:
    name = sha256(b"content")
    assert not store.receive(name, "s1", 0, b"con", is_last=False)
    assert store.receive(name, "s1", 5, b"nt", is_last=True)


def test_what_came_in_part_of_a_sender_that_is_gone_is_removed(
    store: CapsuleStore, tmp_path: Path
) -> None:
    for whose in ("s1", "s2"):
        assert not store.receive(sha256(b"content"), whose, 0, b"con", is_last=False)
    store.give_up("s1")
    [left] = (tmp_path / "arrived").iterdir()
    assert left.name.endswith(".part-s2")


def test_a_content_that_cannot_be_given_its_name_is_refused(
    store: CapsuleStore, tmp_path: Path
) -> None:
    assert not receive(store, b"content")
    content = tmp_path / "arrived" / sha256(b"content") / "capsule.wasm"
    content.unlink()
    content.mkdir()  # no folder can have two names
    with pytest.raises(CapsuleUnreadable, match=r"a\.wasm"):
        store.take(sha256(b"content"), "a.wasm")


def test_a_content_in_use_stays_though_another_job_could_not_have_it(
    store: CapsuleStore, tmp_path: Path
) -> None:
    assert not receive(store, b"content")
    path = store.take(sha256(b"content"), "a.wasm")
    content = tmp_path / "arrived" / sha256(b"content") / "capsule.wasm"
    content.unlink()
    content.mkdir()
    with pytest.raises(CapsuleUnreadable):
        store.take(sha256(b"content"), "b.wasm")
    store.let_go(sha256(b"content"))
    for each in (b"x", b"y", b"z"):
        assert not receive(store, each * MIB)
    assert path.exists()


@pytest.mark.parametrize("name", ["../x", "", "AB" * 32, "0" * 63])
def test_what_is_no_hash_is_wrong_and_leaves_nothing(
    store: CapsuleStore, tmp_path: Path, name: str
) -> None:
    assert store.receive(name, "s1", 0, b"content", is_last=True)
    assert not store.find(name)
    assert list((tmp_path / "arrived").iterdir()) == []


def test_what_is_larger_than_a_capsule_may_be_is_refused(store: CapsuleStore) -> None:
    with pytest.raises(CapsuleUnreadable):
        store.receive(sha256(b"x"), "s1", MIB, b"x", is_last=True)


def test_what_has_not_come_cannot_be_taken(store: CapsuleStore) -> None:
    with pytest.raises(CapsuleUnreadable):
        store.take("0" * 64, "a.wasm")


@pytest.mark.parametrize("name", ["../a", "", ".", "a/b", "Capsule.toml", "x" * 300, "a\0b"])
def test_a_name_that_leads_elsewhere_or_means_more_is_not_used(
    store: CapsuleStore, tmp_path: Path, name: str
) -> None:
    receive(store, b"content")
    path = store.take(sha256(b"content"), name)
    assert path == tmp_path / "arrived" / sha256(b"content") / "capsule.wasm"


def test_what_was_not_used_for_longest_makes_room_and_what_is_in_use_stays(
    store: CapsuleStore, tmp_path: Path
) -> None:
    contents = [bytes([number]) * (900 << 10) for number in range(4)]
    names = [sha256(content) for content in contents]
    receive(store, contents[0])
    store.take(names[0], "a.wasm")
    for content in contents[1:]:
        receive(store, content)
    assert [store.find(name) for name in names] == [True, False, False, True]
    store.let_go(names[0])
    receive(store, contents[1])
    assert not store.find(names[0])


def test_parts_that_a_killed_host_left_are_gone_at_the_next_start(tmp_path: Path) -> None:
    first = CapsuleStore(tmp_path / "arrived", MIB, MIB)
    first.receive(sha256(b"x"), "s1", 0, b"x", is_last=False)
    CapsuleStore(tmp_path / "arrived", MIB, MIB)
    assert list((tmp_path / "arrived").iterdir()) == []


@pytest.mark.parametrize("link", ["arrived", "cache"])
def test_a_link_in_place_of_a_folder_is_refused_and_nothing_behind_it_touched(
    tmp_path: Path, link: str
) -> None:
    others = tmp_path / "others"
    (others / "arrived").mkdir(parents=True)
    part = f"{'0' * 64}.part-s1"
    for folder in (others, others / "arrived"):
        folder.chmod(0o755)
        (folder / part).touch()
    if link == "cache":
        (tmp_path / "cache").symlink_to(others)
    else:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "arrived").symlink_to(others)
    with pytest.raises(CacheUnusable, match="it is a link"):
        CapsuleStore(tmp_path / "cache" / "arrived", 2 * MIB, MIB)
    assert others.stat().st_mode & 0o777 == 0o755
    assert (others / part).exists()
    assert (others / "arrived" / part).exists()


def test_a_folder_that_others_may_use_is_refused_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "arrived").mkdir(mode=0o755)
    with pytest.raises(CacheUnusable, match="mode 0755"):
        CapsuleStore(tmp_path / "arrived", 2 * MIB, MIB)
    assert (tmp_path / "arrived").stat().st_mode & 0o777 == 0o755


def test_files_of_others_in_the_folder_are_never_touched(tmp_path: Path) -> None:
    folder = tmp_path / "arrived"
    (folder / "project").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "project" / "capsule.wasm").write_bytes(bytes(3 * MIB))
    (folder / "thesis.part-2").touch()
    os.utime(folder / "project", (1, 1))
    store = CapsuleStore(folder, 2 * MIB, MIB)
    assert not receive(store, b"content")
    assert (folder / "project" / "capsule.wasm").exists()
    assert (folder / "thesis.part-2").exists()
