"""Results as files of a folder: one for each job, and one for each output that was kept."""

import os
import re
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from atectl.batch.lines import OutputFacts, ResultLine
from atectl.budget.errors import BadResults
from atectl.errors import ReportUnwritable
from atectl.records.as_json import document
from atectl.records.as_text import json_text
from atectl.system.files import why_unwritable
from atectl.system.opening import open_unbent

_NAME = re.compile(r"\d{6,}\.(json|stdout|stderr)|\.\d{6,}\.(json|stdout|stderr)\.part")
"""Of files that are written here; the second is what a batch leaves that is killed meanwhile."""


class ResultFiles:
    """Writes the result of each job to a folder: `000001.json` and so on, by its place.

    With `--capture`, what the job wrote is in `000001.stdout` and `000001.stderr`.

    Args:
        folder: it is made if it is not there.

    Raises:
        BadResults: the folder cannot be used, or has other files in it (exit 2).
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder
        try:
            folder.mkdir(exist_ok=True)
            others = [each.name for each in folder.iterdir() if not _NAME.fullmatch(each.name)]
            self._folder = open_unbent(str(folder), os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise BadResults(
                f"--results: {str(folder)!r} cannot be used: {why_unwritable(error)}",
                remedy="name another folder",
            ) from None
        if others:
            raise BadResults(
                f"--results: {str(folder)!r} has other files in it, such as {others[0]!r}",
                remedy="name a folder that is empty, or not there yet",
            )

    def write(self, result: ResultLine) -> None:
        """Write the files of one result.

        Raises:
            ReportUnwritable: one cannot be written (exit 125).
        """
        name = f"{result.job:06}"
        self._put(f"{name}.json", json_text(document(result), indent=2).encode() + b"\n")
        for stream, kept in (("stdout", result.stdout), ("stderr", result.stderr)):
            if kept is not None:
                self._put(f"{name}.{stream}", _bytes(kept))

    def _put(self, name: str, data: bytes) -> None:
        """Write a file completely or not at all. Whatever has its name is replaced."""
        part = f".{name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._remove(part)
            descriptor = os.open(part, flags, 0o666, dir_fd=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.rename(part, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            with suppress(OSError):
                self._remove(part)
            raise ReportUnwritable(
                f"{self._path / name} cannot be written: {error.strerror}"
            ) from None

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)


def _bytes(kept: OutputFacts) -> bytes:
    return kept.text.encode() if kept.text is not None else b64decode(kept.base64 or "")
