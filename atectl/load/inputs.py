"""What is to be loaded: capsules by their files, files in folders, and specs within a file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from atectl.capsule.limits import DEFAULT_MAX_CAPSULE_BYTES
from atectl.capsule.piped import keep_piped
from atectl.capsule.source import open_capsule
from atectl.capsule.specs import Spec, specs_in
from atectl.capsule.task import Part
from atectl.config import MANIFEST_NAME
from atectl.errors import AtectlError, CapsuleError, UsageError

_LOOK_BYTES = 64


class Item(NamedTuple):
    """One capsule to be loaded: a file, or a part of one."""

    path: Path
    size_bytes: int
    """Of the file or the part; 0 where it is not known."""
    part: Part | None = None
    number: int = 0
    """Which of the specs in the file it is, from 1 on; 0 where it is no part."""
    spec: str = ""
    """What its spec is called, as it is written there."""
    failure: AtectlError | None = None
    """Why it cannot be had from the pipe that it should come through."""

    @property
    def name(self) -> str:
        """By which it is told from others."""
        return f"{self.path}#{self.number}" if self.number else str(self.path)


def items(
    paths: Iterable[Path], *, recursive: bool, max_bytes: int = DEFAULT_MAX_CAPSULE_BYTES
) -> Iterator[Item]:
    """The capsules that `paths` mean, in their order; each is looked at when it is its turn.

    A file of several workflow specs is as many capsules. A file that is not there, or cannot be
    read, is one: whoever loads it says so.

    Args:
        recursive: whether a folder means all files in it and below, but for hidden ones and each
            Capsule.toml, which describes another. Links to folders are not followed.
        max_bytes: the most that is taken from a pipe, which is read once.

    Raises:
        UsageError: a path is a folder, and it is not `recursive` (exit 2).
    """
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib fails on a name that is too long
            yield from _of_file_or_pipe(path, max_bytes)
        elif recursive:
            for found in _files_in(path):
                yield from _of_file(found)
        else:
            raise UsageError(f"{path} is a folder", remedy="pass --recursive to load what is in it")


def listed(lines: Iterable[str]) -> Iterator[Path]:
    """The paths of a list, one a line; blank lines are passed over."""
    for line in lines:
        path = line.rstrip("\r\n")
        if path.strip():
            yield Path(path)


def _files_in(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and name != MANIFEST_NAME and path.is_file():
                yield path


def _of_file_or_pipe(path: Path, max_bytes: int) -> Iterator[Item]:
    try:
        keep_piped(path, max_bytes)
    except AtectlError as failure:
        yield Item(path, 0, failure=failure)
    else:
        yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Item]:
    specs = _specs_of(path)
    if len(specs) < 2:
        yield Item(path, _size_of(path))
        return
    for number, spec in enumerate(specs, start=1):
        part = Part(spec.offset, spec.size_bytes)
        yield Item(path, spec.size_bytes, part, number, spec.name)


def _specs_of(path: Path) -> list[Spec]:
    """The specs in a file, if it has any; of what is no JSON none."""
    if path.name == MANIFEST_NAME:
        return []
    try:
        with open_capsule(path) as file:
            if not file.read(_LOOK_BYTES).lstrip().startswith(b"{"):
                return []
            file.seek(0)
            return list(specs_in(file))
    except (CapsuleError, AtectlError, OSError):
        return []  # whoever loads it says what is wrong


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0
