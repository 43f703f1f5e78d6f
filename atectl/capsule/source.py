"""A file opened to be read, of a capsule or beside one: regular, and never waited for."""

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from atectl.config import MANIFEST_NAME
from atectl.errors import AtectlError, CapsuleNotFound, CapsuleUnreadable
from atectl.units import format_size, show_size

if TYPE_CHECKING:
    from atectl.capsule.manifest import Described

_CHUNK_BYTES = 1 << 18
WANTS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""What a system call fails with for want of something: it says nothing of any file."""


def open_capsule(path: Path) -> BinaryIO:
    """The file at `path`, for the caller to close.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
        HostExhausted: no more files can be opened (exit 125).
    """
    return os.fdopen(_open(path)[0], "rb", buffering=0)


class Source:
    """A capsule's file, open. To be closed, or used with `with`.

    Attributes:
        manifest: what a Capsule.toml says of it, None where there is none.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        status: os.stat_result,
        manifest: "Described | None" = None,
    ) -> None:
        self.path = path
        self.name = path.name
        self.descriptor = descriptor
        self.status = status
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path, max_bytes: int) -> "Source":
        """Open the capsule at `path`, which links may lead to, or that of the Capsule.toml there.

        Args:
            max_bytes: the largest file that is taken.

        Raises:
            CapsuleNotFound: there is no such file (exit 127).
            CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
            CapsuleTooLarge: it is larger than `max_bytes` (exit 126).
            BadManifest: its Capsule.toml cannot be read, or lacks what it has to have (exit 126).
            HostExhausted: no more files can be opened (exit 125).
        """
        manifest = _manifest(path)
        path = path if manifest is None else manifest.capsule
        descriptor, status = _open(path)
        if status.st_size > max_bytes:
            from atectl.capsule.errors import CapsuleTooLarge

            os.close(descriptor)
            size, most = show_size(status.st_size), format_size(max_bytes)
            raise CapsuleTooLarge(f"{path} has {size}; no capsule over {most} is taken")
        return cls(path, descriptor, status, manifest)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)

    def duplicate(self) -> "Source":
        """The same file, to be closed by itself."""
        try:
            descriptor = os.dup(self.descriptor)
        except OSError as error:
            raise exhausted(str(self.path), error.errno) from None
        return Source(self.path, descriptor, self.status, self.manifest)

    def hash(self) -> str:
        """The SHA-256 of what it holds, as far as it went when it was opened.

        Raises:
            CapsuleUnreadable: it cannot be read (exit 126).
        """
        # Not on the warm path, which it would lengthen by the time OpenSSL takes to load.
        from hashlib import sha256

        found, left = sha256(), self.status.st_size
        try:
            while left and (chunk := os.read(self.descriptor, min(left, _CHUNK_BYTES))):
                found.update(chunk)
                left -= len(chunk)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        return found.hexdigest()

    def hash_as_announced(self, blake3: str) -> str:
        """The SHA-256 of what it holds, which has the BLAKE3 that its manifest announces.

        Raises:
            CapsuleUnreadable: it cannot be read (exit 126).
            ManifestMismatch: it has another (exit 126).
            ExtraMissing: the package for BLAKE3 is not installed (exit 125).
        """
        from atectl.capsule.manifest import HashedFile
        from atectl.capsule.pieces import FilePieces

        os.lseek(self.descriptor, 0, os.SEEK_SET)
        with open(self.descriptor, "rb", closefd=False) as file:
            hashed = HashedFile(file, blake3, self.name)
            pieces = FilePieces(hashed)
            try:
                for _ in pieces:
                    pass
            except OSError as error:
                raise _unreadable(self.path, error) from None
        hashed.require_match()
        return pieces.sha256


def exhausted(name: str, number: int | None) -> AtectlError:
    """The error of a system call that failed for want of something that this machine has not."""
    from atectl.capsule.errors import HostExhausted

    reason = os.strerror(number or 0)
    return HostExhausted(f"{name} could not be loaded: {reason[:1].lower()}{reason[1:]}")


def _unreadable(path: Path, error: OSError | ValueError) -> AtectlError:
    if isinstance(error, OSError) and error.errno in WANTS:
        return exhausted(str(path), error.errno)
    reason = error.strerror if isinstance(error, OSError) else None
    return CapsuleUnreadable(f"{path}: {reason or error}")


def _manifest(path: Path) -> "Described | None":
    """What a manifest says of the capsule that `path` means; None where there is none."""
    is_given = path.name == MANIFEST_NAME
    if not is_given and not os.path.lexists(path.parent / MANIFEST_NAME):
        return None
    # Few capsules have a manifest, and every run would pay for its import.
    from atectl.capsule.manifest import describe

    return describe(path)


def _open(path: Path) -> tuple[int, os.stat_result]:
    """A descriptor of the regular file at `path`, and its status."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise CapsuleNotFound(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CapsuleUnreadable(f"{path} is {_nature(status.st_mode)}, not a regular file")
    return descriptor, status


def _nature(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
