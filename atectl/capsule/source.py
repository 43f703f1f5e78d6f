"""Opening the file of a capsule, or one beside it: only a regular file, and without blocking."""

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
    from atectl.capsule.task import Part

STDIN = Path("/dev/stdin")
_CHUNK_BYTES = 1 << 18
WANTS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Errors of system calls for which resources ran out. They say nothing about a file."""


def path_of(word: str) -> Path:
    """The path of the capsule that a command line names; `-` is stdin, as in most programs."""
    return STDIN if word == "-" else Path(word)


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
        manifest: what a Capsule.toml says about it; None if there is none.
        part: where in the file it is; None for the whole file.
        is_kept: whether it is a file that stays, so that its hash is worth remembering.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        status: os.stat_result,
        manifest: "Described | None" = None,
        part: "Part | None" = None,
        *,
        is_kept: bool = True,
    ) -> None:
        self.is_kept = is_kept
        self.path = path
        self.name = path.name
        self.descriptor = descriptor
        self.status = status
        self.manifest = manifest
        self.part = part

    @classmethod
    def open(cls, path: Path, max_bytes: int, part: "Part | None" = None) -> "Source":
        """Open the capsule at `path`, or that of the Capsule.toml there. Links are followed.

        Args:
            max_bytes: the largest file, or part of one, that is accepted.
            part: where in the file the capsule is; None for the whole file.

        Raises:
            CapsuleNotFound: there is no such file (exit 127).
            CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
            CapsuleTooLarge: it is larger than `max_bytes` (exit 126).
            BadManifest: its Capsule.toml cannot be read, or lacks what it must have (exit 126).
            HostExhausted: no more files can be opened (exit 125).
        """
        manifest = _manifest(path)
        path = path if manifest is None else manifest.capsule
        descriptor, status = _open(path)
        if (part.size_bytes if part else status.st_size) > max_bytes:
            from atectl.capsule.errors import CapsuleTooLarge

            os.close(descriptor)
            size = show_size(part.size_bytes if part else status.st_size)
            most = format_size(max_bytes)
            raise CapsuleTooLarge(f"{path} has {size}; no capsule over {most} is accepted")
        # What came through a pipe is in a file that no folder has.
        return cls(path, descriptor, status, manifest, part, is_kept=status.st_nlink > 0)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)

    def duplicate(self) -> "Source":
        """Another descriptor of the same file, to be closed separately."""
        try:
            descriptor = os.dup(self.descriptor)
        except OSError as error:
            raise exhausted(str(self.path), error.errno) from None
        known = (self.status, self.manifest, self.part)
        return Source(self.path, descriptor, *known, is_kept=self.is_kept)

    @property
    def size_bytes(self) -> int:
        """How long it is, as far as it went when it was opened."""
        return self.part.size_bytes if self.part else self.status.st_size

    def hash(self) -> str:
        """The SHA-256 of its content, up to the size that it had when it was opened.

        Raises:
            CapsuleUnreadable: it cannot be read (exit 126).
        """
        # Imported here: a warm run does not need it, and OpenSSL takes a while to load.
        from hashlib import sha256

        found, left = sha256(), self.size_bytes
        try:
            os.lseek(self.descriptor, self.part.offset if self.part else 0, os.SEEK_SET)
            while left and (chunk := os.read(self.descriptor, min(left, _CHUNK_BYTES))):
                found.update(chunk)
                left -= len(chunk)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        return found.hexdigest()

    def hash_as_announced(self, blake3: str) -> str:
        """The SHA-256 of its content, whose BLAKE3 must be the one that its manifest announces.

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


def is_named_brotli(name: str) -> bool:
    """Whether a file's name says that it is compressed by brotli, which its content does not."""
    return not {"br", "brotli"}.isdisjoint(name.lower().split(".")[1:])


def exhausted(name: str, number: int | None) -> AtectlError:
    """The error for a system call that failed because resources of this machine ran out."""
    from atectl.capsule.errors import HostExhausted

    reason = os.strerror(number or 0)
    return HostExhausted(f"{name} could not be loaded: {reason[:1].lower()}{reason[1:]}")


def _unreadable(path: Path, error: OSError | ValueError) -> AtectlError:
    if isinstance(error, OSError) and error.errno in WANTS:
        return exhausted(str(path), error.errno)
    reason = error.strerror if isinstance(error, OSError) else None
    return CapsuleUnreadable(f"{path}: {reason or error}")


def _manifest(path: Path) -> "Described | None":
    """What a manifest says about the capsule that `path` means; None if there is none."""
    is_given = path.name == MANIFEST_NAME
    if not is_given and not os.path.lexists(path.parent / MANIFEST_NAME):
        return None
    # Few capsules have a manifest; the others should not pay for this import.
    from atectl.capsule.manifest import describe

    return describe(path)


def _open(path: Path) -> tuple[int, os.stat_result]:
    """A descriptor of the regular file at `path`, and its status."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise _not_found(path) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CapsuleUnreadable(f"{path} is {_nature(status.st_mode)}, not a regular file")
    return descriptor, status


def _not_found(path: Path) -> CapsuleNotFound:
    scheme, separator, rest = str(path).partition(":/")
    if separator and scheme.isalnum() and len(scheme) > 1:
        return CapsuleNotFound(
            f"{scheme}://{rest}: URLs are not fetched",
            remedy="download it first, and name the file",
        )
    host, separator, image = str(path).partition("/")
    if separator and "." in host.strip(".") and ":" in image:
        return CapsuleNotFound(
            f"{path}: no such file",
            remedy="check the path; an image in a registry has to be pulled first",
        )
    return CapsuleNotFound(f"{path}: no such file")


def _nature(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
