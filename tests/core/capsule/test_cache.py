"""Artifacts are kept, found, bounded, and never mapped unless they are what was placed."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Never

import pytest
from wasmtime import Module

from atectl.capsule import cache as artifact_cache
from atectl.capsule import cache_entries, cache_folder
from atectl.capsule.artifact_file import file_parts, map_code
from atectl.capsule.cache import SETTLED_NS, ArtifactCache, Made
from atectl.capsule.cache_entries import LEFTOVER_NS
from atectl.capsule.cache_folder import CacheFolder
from atectl.capsule.creation import Creation
from atectl.capsule.single_flight import TURNS
from atectl.engine.metered import Engine
from atectl.engine.settings import EngineSettings
from atectl.errors import CacheUnusable
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.waiting import wait_until

NOBODY = 65_534
CREATES = Creation(1, 3, 2, 70_000)
KEY = f"{'5' * 64}-0123abcd"
SHA256 = "5" * 64
is_root = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[ArtifactCache]:
    with ArtifactCache.open(folder) as cache:
        yield cache


def artifact_of(engine: Engine, name: str = "run") -> Module:
    return Module(engine.native, f'(module (func (export "{name}")))')


def keep(
    cache: ArtifactCache, engine: Engine, sha256: str = SHA256, capsule: str = "some.wasm"
) -> None:
    content = b"".join(file_parts(artifact_of(engine).serialize(), None))
    made = Made(sha256, "module", CREATES, True, hashlib.sha256(content).hexdigest())
    file = cache.new_artifact()
    assert file is not None
    with file:
        os.write(file.descriptor, content)
        cache.keep(engine, file, made, capsule=capsule)


def the_file(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def flip_a_bit(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def never(*_: object) -> Never:
    raise AssertionError("this is not to be done")


# The folder


def test_a_missing_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    with ArtifactCache.open(tmp_path / "not" / "yet" / "there"):
        assert (tmp_path / "not" / "yet" / "there").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o720])
def test_a_folder_that_others_may_use_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(CacheUnusable, match=f"mode {mode:04o}"):
        ArtifactCache.open(folder)


def test_a_folder_of_another_user_is_not_used(folder: Path) -> None:
    if is_root:
        folder.mkdir(mode=0o700)
        os.chown(folder, NOBODY, NOBODY)
    else:
        folder = Path("/usr")
    with pytest.raises(CacheUnusable, match="belongs to user"):
        ArtifactCache.open(folder)


@pytest.mark.parametrize("path", ["/proc/no/such", "/dev/null", "/dev/null/below"])
def test_a_folder_that_cannot_be_made_is_an_error_with_its_reason(path: str) -> None:
    with pytest.raises(CacheUnusable, match=path) as caught:
        ArtifactCache.open(Path(path))
    assert caught.value.exit_status == 125


def test_a_refused_folder_is_closed_again(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    before = open_descriptors()
    for _ in range(10):
        with pytest.raises(CacheUnusable):
            ArtifactCache.open(folder)
    assert opened_since(before) == []


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to("others")
    with pytest.raises(CacheUnusable, match="it is a link"):
        ArtifactCache.open(tmp_path / "cache")


def test_files_of_others_in_the_folder_are_never_touched(
    cache: ArtifactCache, engine: Engine
) -> None:
    keep(cache, engine)
    names = ("notes.tmp", "photo.meta", "a.stat", "x.refused", "b.cwasm", "1-zz.tmp", ".hidden")
    for name in names:
        (cache.path / name).write_text("of somebody else")
        os.utime(cache.path / name, (0, 0))
    cache.prune(0)
    cache.clear()
    assert sorted(each.name for each in cache.path.iterdir()) == sorted(names)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_the_hash_of_a_file_that_others_can_write_is_not_remembered(
    cache: ArtifactCache, tmp_path: Path, mode: int
) -> None:
    source = tmp_path / "capsule.wat"
    source.write_text("(module)")
    source.chmod(0o644)
    os.utime(source, (1, 1))
    private = source.stat()
    changed = list(private)
    changed[0] = private.st_mode & ~0o777 | mode
    open_to_others = os.stat_result(changed)
    settled = ArtifactCache.open(cache.path, clock_ns=lambda: 1 << 62)
    settled.remember_source(private, SHA256)
    assert settled.known_source(private) == (SHA256, None)
    assert settled.known_source(open_to_others) is None
    settled.close()


# Keeping and finding


def test_what_is_kept_is_found_as_it_was(cache: ArtifactCache, engine: Engine) -> None:
    keep(cache, engine)
    found = cache.load(engine, SHA256)
    assert found is not None
    assert (found.kind, found.creates, found.has_start) == ("module", CREATES, True)
    mapped = map_code(engine, found.kind, found.file.descriptor)
    assert mapped is not None
    assert [export.name for export in mapped.code.exports] == ["run"]  # type: ignore[union-attr]


def test_what_was_not_kept_is_not_found(cache: ArtifactCache, engine: Engine) -> None:
    keep(cache, engine)
    assert cache.load(engine, "6" * 64) is None


def test_an_artifact_is_for_one_engine_only(cache: ArtifactCache, engine: Engine) -> None:
    keep(cache, engine)
    burning = Engine(EngineSettings(burns_fuel=True))
    assert cache.load(burning, SHA256) is None
    burning.close()


def test_loading_leaves_no_descriptor_open(cache: ArtifactCache, engine: Engine) -> None:
    keep(cache, engine)
    found = cache.load(engine, SHA256)
    before = open_descriptors()
    for _ in range(10):
        found = cache.load(engine, SHA256)
    assert opened_since(before) == []
    assert found is not None


def test_the_files_are_their_users_alone(
    cache: ArtifactCache, engine: Engine, folder: Path
) -> None:
    before = os.umask(0)
    try:
        keep(cache, engine)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_an_artifact_that_was_not_touched_is_not_hashed(
    cache: ArtifactCache, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache, engine)
    monkeypatch.setattr(artifact_cache, "_hash_file", never)
    assert cache.load(engine, SHA256) is not None


def test_an_artifact_restored_from_a_backup_is_hashed_once(
    cache: ArtifactCache, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache, engine)
    artifact = the_file(folder, ".cwasm")
    shutil.copy(artifact, folder / "copy")
    (folder / "copy").rename(artifact)
    assert cache.load(engine, SHA256) is not None
    monkeypatch.setattr(artifact_cache, "_hash_file", never)
    assert cache.load(engine, SHA256) is not None


# What is never loaded


def change_a_bit(artifact: Path) -> None:
    flip_a_bit(artifact, artifact.stat().st_size // 2)


def change_a_bit_and_put_back_the_time(artifact: Path) -> None:
    before = artifact.stat()
    flip_a_bit(artifact, before.st_size // 2)
    os.utime(artifact, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_off_the_end(artifact: Path) -> None:
    os.truncate(artifact, artifact.stat().st_size // 2)


def empty_it(artifact: Path) -> None:
    os.truncate(artifact, 0)


def replace_it_by_a_link(artifact: Path) -> None:
    elsewhere = artifact.with_suffix(".elsewhere")
    artifact.rename(elsewhere)
    artifact.symlink_to(elsewhere)


def let_others_write_it(artifact: Path) -> None:
    artifact.chmod(0o666)


def give_it_to_another_user(artifact: Path) -> None:
    if not is_root:
        pytest.skip("only root can give a file away")
    os.chown(artifact, NOBODY, NOBODY)


def replace_it_by_a_pipe(artifact: Path) -> None:
    artifact.unlink()
    os.mkfifo(artifact)


def replace_it_by_another_artifact(artifact: Path) -> None:
    engine = Engine()
    artifact.write_bytes(artifact_of(engine, "other").serialize())
    engine.close()


@pytest.mark.parametrize(
    "spoil",
    [
        change_a_bit,
        change_a_bit_and_put_back_the_time,
        cut_off_the_end,
        empty_it,
        replace_it_by_a_link,
        let_others_write_it,
        give_it_to_another_user,
        replace_it_by_a_pipe,
        replace_it_by_another_artifact,
        Path.unlink,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_spoiled_artifact_is_not_loaded_and_the_next_one_takes_its_place(
    cache: ArtifactCache, engine: Engine, folder: Path, spoil: Callable[[Path], None]
) -> None:
    keep(cache, engine)
    spoil(the_file(folder, ".cwasm"))
    assert cache.load(engine, SHA256) is None
    keep(cache, engine)
    assert cache.load(engine, SHA256) is not None


def test_a_spoiled_artifact_is_removed(cache: ArtifactCache, engine: Engine, folder: Path) -> None:
    keep(cache, engine)
    change_a_bit(the_file(folder, ".cwasm"))
    cache.load(engine, SHA256)
    assert list(folder.iterdir()) == []


def test_what_is_removed_is_not_found(cache: ArtifactCache, engine: Engine, folder: Path) -> None:
    keep(cache, engine)
    cache.remove(engine, SHA256)
    assert cache.load(engine, SHA256) is None
    assert list(folder.iterdir()) == []


def test_a_record_with_any_bit_changed_is_no_record(
    cache: ArtifactCache, engine: Engine, folder: Path
) -> None:
    keep(cache, engine)
    record = the_file(folder, ".meta")
    for position in range(record.stat().st_size):
        flip_a_bit(record, position)
        assert cache.load(engine, SHA256) is None
        flip_a_bit(record, position)
    assert cache.load(engine, SHA256) is not None


def test_a_record_of_another_capsule_or_engine_under_the_same_name_does_not_count(
    cache: ArtifactCache, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_cache, "entry_key", lambda *_: "same")
    keep(cache, engine)
    assert cache.load(engine, "6" * 64) is None
    burning = Engine(EngineSettings(burns_fuel=True))
    assert cache.load(burning, SHA256) is None
    assert cache.load(engine, SHA256) is not None
    burning.close()


@pytest.mark.parametrize("content", [b"", b"\n", b"00000000\n", b"\xff" * 100, b"a" * 100_000])
def test_a_record_of_garbage_is_no_record(
    cache: ArtifactCache, engine: Engine, folder: Path, content: bytes
) -> None:
    keep(cache, engine)
    the_file(folder, ".meta").write_bytes(content)
    assert cache.load(engine, SHA256) is None
    assert cache.entries() == []


# Hashes of source files


def settled(status: os.stat_result) -> Callable[[], int]:
    return lambda: status.st_ctime_ns + SETTLED_NS


def test_a_settled_file_is_known_by_its_status(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    status = source.stat()
    with ArtifactCache.open(folder, clock_ns=settled(status)) as cache:
        assert cache.known_source(status) is None
        cache.remember_source(status, SHA256)
        assert cache.known_source(status) == (SHA256, None)


@pytest.mark.parametrize("early_ns", [1, SETTLED_NS, 3_600_000_000_000])
def test_a_file_that_changed_a_moment_ago_or_in_the_future_is_not_remembered(
    folder: Path, tmp_path: Path, early_ns: int
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    status = source.stat()
    with ArtifactCache.open(folder, clock_ns=lambda: settled(status)() - early_ns) as cache:
        cache.remember_source(status, SHA256)
        assert cache.known_source(status) is None


def touch_it(source: Path) -> None:
    os.utime(source)


def change_its_mode(source: Path) -> None:
    source.chmod(0o640)


def append_to_it(source: Path) -> None:
    with source.open("ab") as file:
        file.write(b"more")


def replace_it(source: Path) -> None:
    copy = source.with_name("copy")
    shutil.copy2(source, copy)
    copy.rename(source)


def until_files_are_newer(folder: Path, status: os.stat_result) -> None:
    """Wait for the kernel's clock for files, which ticks a few hundred times a second."""
    probe = folder / "probe"

    def is_newer() -> bool:
        probe.touch()
        return probe.stat().st_ctime_ns > status.st_ctime_ns

    wait_until(is_newer)


@pytest.mark.parametrize(
    "change", [touch_it, change_its_mode, append_to_it, replace_it], ids=lambda each: each.__name__
)
def test_a_file_whose_status_changed_is_not_known(
    folder: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    status = source.stat()
    with ArtifactCache.open(folder, clock_ns=settled(status)) as cache:
        cache.remember_source(status, SHA256)
        until_files_are_newer(tmp_path, status)
        change(source)
        assert cache.known_source(source.stat()) is None


def test_no_more_hashes_are_kept_than_artifacts_may_be(
    folder: Path, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_entries, "MAX_ENTRIES", 2)
    with ArtifactCache.open(folder, clock_ns=lambda: time.time_ns() + 2 * SETTLED_NS) as cache:
        for number in range(4):
            source = tmp_path / f"source{number}"
            source.write_bytes(b"content")
            cache.remember_source(source.stat(), SHA256)
        cache.prune(1 << 30)
    assert len(list(folder.glob("*.stat"))) == 2


# Bounds and tidying


def last_used(folder: Path, sha256: str, seconds_ago: float) -> None:
    (record,) = folder.glob(f"{sha256}*.meta")
    when = time.time() - seconds_ago
    os.utime(record, (when, when))


def kept(cache: ArtifactCache) -> list[str]:
    return [entry.sha256[0] for entry in cache.entries()]


def test_entries_are_listed_the_most_recently_used_first(
    cache: ArtifactCache, engine: Engine, folder: Path
) -> None:
    for digit, seconds_ago in (("1", 20), ("2", 10), ("3", 30)):
        keep(cache, engine, digit * 64, f"{digit}.wasm")
        last_used(folder, digit * 64, seconds_ago)
    entries = cache.entries()
    assert [entry.capsule for entry in entries] == ["2.wasm", "1.wasm", "3.wasm"]
    assert entries[0].engine == engine.fingerprint
    assert entries[0].used_at == pytest.approx(time.time() - 10, abs=5)
    on_disk = sum(path.stat().st_size for path in folder.iterdir())
    assert sum(entry.size_bytes for entry in entries) == on_disk


def test_a_name_is_listed_inert_and_on_one_line(cache: ArtifactCache, engine: Engine) -> None:
    keep(cache, engine, capsule="a\n\x1b[31m\udcff.wasm")
    assert cache.entries()[0].capsule == "a\\n\\x1b[31m\\xff.wasm"


def test_the_least_recently_used_goes_first(
    cache: ArtifactCache, engine: Engine, folder: Path
) -> None:
    for digit, seconds_ago in (("1", 30), ("2", 20), ("3", 10)):
        keep(cache, engine, digit * 64)
        last_used(folder, digit * 64, seconds_ago)
    cache.load(engine, "1" * 64)
    two = 2 * cache.entries()[0].size_bytes
    removal = cache.prune(two)
    assert kept(cache) == ["1", "3"]
    assert (removal.artifacts, removal.freed_bytes) == (1, two // 2)


def test_storing_keeps_the_whole_within_its_bound(
    folder: Path, engine: Engine, tmp_path: Path
) -> None:
    with ArtifactCache.open(tmp_path / "other") as other:
        keep(other, engine)
        one = other.entries()[0].size_bytes
    with ArtifactCache.open(folder, max_bytes=2 * one) as cache:
        for digit, seconds_ago in (("1", 30), ("2", 20), ("3", 0)):
            keep(cache, engine, digit * 64)
            last_used(folder, digit * 64, seconds_ago)
        assert kept(cache) == ["3", "2"]


def test_no_more_artifacts_are_kept_than_may_be(
    cache: ArtifactCache, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_entries, "MAX_ENTRIES", 2)
    for digit, seconds_ago in (("1", 30), ("2", 20), ("3", 0)):
        keep(cache, engine, digit * 64)
        last_used(folder, digit * 64, seconds_ago)
    assert kept(cache) == ["3", "2"]


def test_what_is_kept_is_looked_at_once_in_many_times(
    cache: ArtifactCache, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    files = CacheFolder.files

    def count(folder: CacheFolder) -> dict[str, os.stat_result]:
        nonlocal looks
        looks += 1
        return files(folder)

    monkeypatch.setattr(CacheFolder, "files", count)
    for number in range(300):
        keep(cache, engine, f"{number:064x}")
    assert looks <= 4  # each look is at the leftovers and at the entries


def test_a_full_cache_is_looked_at_once_in_many_times_too(
    cache: ArtifactCache, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_entries, "MAX_ENTRIES", 160)
    looks = 0
    files = CacheFolder.files

    def count(folder: CacheFolder) -> dict[str, os.stat_result]:
        nonlocal looks
        looks += 1
        return files(folder)

    for number in range(160):
        keep(cache, engine, f"{number:064x}")
    monkeypatch.setattr(CacheFolder, "files", count)
    for number in range(160, 260):
        keep(cache, engine, f"{number:064x}")
    assert looks <= 100
    assert len(cache.entries()) <= 160


def test_an_artifact_larger_than_the_cache_displaces_nothing(folder: Path, engine: Engine) -> None:
    with ArtifactCache.open(folder) as cache:
        keep(cache, engine)
    with ArtifactCache.open(folder, max_bytes=1000) as small:
        with pytest.raises(CacheUnusable, match="takes"):
            keep(small, engine, "6" * 64)
        assert kept(small) == ["5"]


def test_clearing_leaves_nothing(cache: ArtifactCache, engine: Engine, folder: Path) -> None:
    keep(cache, engine)
    (folder / "1-2.stat").write_bytes(b"")
    assert cache.clear().artifacts == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", [f"1-{'ab' * 8}.tmp", f"{KEY}.cwasm", f"{KEY}.meta"])
@pytest.mark.parametrize(("age_ns", "is_left"), [(LEFTOVER_NS, True), (LEFTOVER_NS + 1, False)])
def test_what_a_killed_writer_left_is_removed_when_it_is_old(
    folder: Path, name: str, age_ns: int, is_left: bool
) -> None:
    left_at_ns = time.time_ns()
    with ArtifactCache.open(folder, clock_ns=lambda: left_at_ns + age_ns) as cache:
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, ns=(left_at_ns, left_at_ns))
        cache.prune(1 << 30)
    assert (folder / name).exists() == is_left


def test_a_stranger_among_the_files_is_left_alone(
    cache: ArtifactCache, engine: Engine, folder: Path
) -> None:
    (folder / "notes.txt").write_text("mine")
    (folder / "sub.meta").mkdir()
    keep(cache, engine)
    cache.clear()
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "sub.meta"]


# Other processes, and disks that are full

LOADS = """
import sys
from pathlib import Path
from atectl.capsule.artifact_file import map_code
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import load
from atectl.capsule.single_flight import TURNS
from atectl.engine.metered import Engine
engine = Engine()
compiler = Compiler(engine)
cache = ArtifactCache.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[2:]:
    capsule = load(engine, Path(path), cache, compiler)
    assert capsule.cache_error is None, capsule.cache_error
    mapped = map_code(engine, capsule.kind, capsule.artifact.descriptor)
    assert [export.name for export in mapped.code.exports] == [Path(path).name]
print("done", flush=True)
"""


def sources(folder: Path, count: int) -> list[str]:
    names = [f"f{number}" for number in range(count)]
    for name in names:
        (folder / name).write_text(f'(module (func (export "{name}")))')
    return [str(folder / name) for name in names]


def start(folder: Path, paths: list[str]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LOADS, str(folder), *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_compile_the_same_capsules_at_once_all_get_them(
    folder: Path, tmp_path: Path, engine: Engine
) -> None:
    paths = sources(tmp_path, 20)
    processes = [start(folder, paths) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["done\n"] * 3
    with ArtifactCache.open(folder) as cache:
        assert len(cache.entries()) == 20
    assert not list(folder.glob("*.tmp"))


def test_a_writer_killed_at_any_instant_leaves_a_cache_that_works(
    folder: Path, tmp_path: Path
) -> None:
    paths = sources(tmp_path, 200)
    for attempt in range(6):
        process = start(folder, paths)
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(0.01 + 0.017 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finishing = start(folder, paths)
    assert finishing.communicate("go\n")[0] == "done\n"


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import load
from atectl.capsule.single_flight import TURNS
from atectl.engine.metered import Engine
engine = Engine()
cache = ArtifactCache.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1))
capsule = load(engine, Path(sys.argv[2]), cache, Compiler(engine))
print(capsule.kind, type(capsule.cache_error).__name__)
"""


@pytest.mark.parametrize("room_bytes", [0, 100, 4096])
def test_on_a_full_disk_a_capsule_is_compiled_and_nothing_half_written_is_left(
    folder: Path, tmp_path: Path, room_bytes: int
) -> None:
    (path,) = sources(tmp_path, 1)
    command = [sys.executable, "-c", FILLS_THE_DISK, str(folder), path, str(room_bytes)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout == "module CacheUnusable\n"
    assert [each.name for each in folder.iterdir()] == [TURNS]


def test_an_artifact_whose_record_cannot_be_written_is_taken_back(
    cache: ArtifactCache, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Never:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_folder.CacheFolder, "write_record", fail)
    with pytest.raises(CacheUnusable, match="No space left"):
        keep(cache, engine)
    assert list(folder.iterdir()) == []
