"""The capsules that a host was sent, by content, and checked before anything reads them."""

import os
import re
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from atectl.capsule.cache_folder import CacheFolder
from atectl.config import MANIFEST_NAME
from atectl.errors import CacheUnusable, CapsuleUnreadable

_NAME = "capsule.wasm"
_MOST_NAME_BYTES = 200
_SHA256 = re.compile("[0-9a-f]{64}")
_PART = re.compile(r"[0-9a-f]{64}\.part-\w+")


class _Used:
    """A content that jobs use: how many do, and its files by the names that they have for it."""

    def __init__(self) -> None:
        self.jobs = 0
        self.paths: dict[str, Path] = {}


class CapsuleStore:
    """Files of capsules in one folder, `SHA256/NAME`, and at most so many bytes of them.

    Any thread may call `let_go`; one at a time the others.

    Args:
        folder: made if missing; nobody else may use it.
        max_bytes: when it is exceeded, what was not used for longest goes, unless it is in use.
        max_capsule_bytes: the largest file that is taken.

    Raises:
        CacheUnusable: the folder cannot be made, others may use it, or it or the one that it is in
            is a link (exit 125).
    """

    def __init__(self, folder: Path, max_bytes: int, max_capsule_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_capsule_bytes = max_capsule_bytes
        self._lock = threading.Lock()
        self._used: dict[str, _Used] = {}
        if folder.parent.is_symlink():
            raise CacheUnusable(f"{folder.parent}: it is a link")
        CacheFolder(folder).close()
        try:
            for half in folder.iterdir():
                if _PART.fullmatch(half.name):
                    half.unlink()
        except OSError as error:
            raise CacheUnusable(f"{folder}: {error.strerror}") from None

    def find(self, sha256: str) -> bool:
        """Whether the content is here."""
        return bool(_SHA256.fullmatch(sha256)) and (self._folder / sha256 / _NAME).exists()

    def take(self, sha256: str, name: str) -> Path:
        """The file of a content, called `name`, to be kept until it is let go, also if this fails.

        Raises:
            CapsuleUnreadable: it is not here, or cannot be given that name (exit 126).
        """
        with self._lock:
            used = self._used.setdefault(sha256, _Used())
            used.jobs += 1
        if name not in used.paths:
            used.paths[name] = self._link(sha256, name)
        return used.paths[name]

    def _link(self, sha256: str, name: str) -> Path:
        if not self.find(sha256):
            raise CapsuleUnreadable(f"no capsule sha256:{sha256} has come to this host")
        folder = self._folder / sha256
        path = folder / _safe(name)
        try:
            with suppress(FileExistsError):
                os.link(folder / _NAME, path)
            os.utime(folder)
        except OSError as error:
            raise CapsuleUnreadable(f"{path}: {error.strerror}") from None
        return path

    def let_go(self, sha256: str) -> None:
        """A job that used the content has ended."""
        with self._lock:
            used = self._used.get(sha256)
            if used is not None:
                used.jobs -= 1
                if used.jobs <= 0:
                    del self._used[sha256]

    def receive(self, sha256: str, whose: str, offset: int, data: bytes, *, is_last: bool) -> bool:
        """A part of a content that comes, in order. Returns whether it is wrong.

        Args:
            whose: tells senders apart that send the same at the same time.
            is_last: whether all has come; then it is checked, and kept if its hash is right.

        Raises:
            CapsuleUnreadable: it is too large, or could not be written (exit 126).
        """
        if not _SHA256.fullmatch(sha256) or not whose.isalnum():
            return True
        if offset + len(data) > self._max_capsule_bytes:
            raise CapsuleUnreadable(f"sha256:{sha256} is larger than this host accepts")
        part = self._folder / f"{sha256}.part-{whose}"
        try:
            with part.open("r+b" if offset else "wb") as file:
                if file.seek(0, os.SEEK_END) != offset:
                    return True
                file.write(data)
            if not is_last:
                return False
            return not self._keep(part, sha256)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise CapsuleUnreadable(
                f"sha256:{sha256} could not be kept: {error.strerror}"
            ) from None

    def give_up(self, whose: str) -> None:
        """A sender is gone: what came of it in part is of no use."""
        with suppress(OSError):
            for part in self._folder.glob(f"*.part-{whose}"):
                part.unlink()

    def _keep(self, part: Path, sha256: str) -> bool:
        from hashlib import file_digest

        with part.open("rb") as file:
            is_right = file_digest(file, "sha256").hexdigest() == sha256
        if not is_right:
            part.unlink()
            return False
        folder = self._folder / sha256
        folder.mkdir(mode=0o700, exist_ok=True)
        part.replace(folder / _NAME)
        self._make_room(sha256)
        return True

    def _make_room(self, newest: str) -> None:
        """Remove what was not used for longest, until the rest is within the bound."""
        found = []
        for each in self._folder.iterdir():
            if not _SHA256.fullmatch(each.name):  # of somebody else
                continue
            with suppress(OSError):
                file = each / _NAME
                found.append((each.stat().st_mtime, each, file.stat().st_size))
        total = sum(size for _, _, size in found)
        for _, each, size in sorted(found):
            if total <= self._max_bytes:
                return
            if each.name not in self._used and each.name != newest:
                shutil.rmtree(each, ignore_errors=True)
                total -= size


def _safe(name: str) -> str:
    """A name for a file: that of the capsule, if it can be one."""
    is_plain = name and "/" not in name and "\0" not in name and name not in (".", "..")
    if not is_plain or name == MANIFEST_NAME or len(os.fsencode(name)) > _MOST_NAME_BYTES:
        return _NAME
    return name
