"""What a capsule's file holds, by its hash: a file is read once while it stays as it is."""

import time
from pathlib import Path
from typing import NamedTuple

from atectl.capsule.cache import SETTLED_NS, hash_of, identity_of
from atectl.capsule.source import Source

_MOST_KEPT = 4096


class Content(NamedTuple):
    """The file that a path leads to, through a Capsule.toml if there is one, and its SHA-256."""

    file: Path
    sha256: str
    size_bytes: int


class Contents:
    """The contents of capsules' files, looked at anew only when a file has changed.

    Args:
        max_bytes: the largest file that is accepted.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._seen: dict[Path, tuple[str, Content]] = {}

    def at(self, path: Path) -> Content:
        """The content that is at a path now.

        Raises:
            CapsuleError: there is no capsule there, or it cannot be read (exit 126 or 127).
            HostExhausted: no more files can be opened (exit 125).
        """
        with Source.open(path, self._max_bytes) as source:
            identity = identity_of(source.status)
            before = self._seen.get(path)
            if before is not None and before[0] == identity:
                return before[1]
            began_ns = time.time_ns()
            content = Content(source.path, hash_of(source, None), source.size_bytes)
            # A file that changed a moment ago could change again without a visible difference.
            if began_ns - source.status.st_ctime_ns >= SETTLED_NS:
                self._keep(path, identity, content)
            return content

    def _keep(self, path: Path, identity: str, content: Content) -> None:
        self._seen.pop(path, None)
        self._seen[path] = (identity, content)
        if len(self._seen) > _MOST_KEPT:
            del self._seen[next(iter(self._seen))]
