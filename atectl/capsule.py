"""What a capsule is on disk: read once, judged by its content, compiled or taken from the cache."""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.artifact_cache import Artifact, ArtifactCache, Engine
from atectl.errors import (
    CacheUnusable,
    CapsuleNotFound,
    CapsuleUnreadable,
    InvalidCapsule,
    NotWebAssembly,
    PrecompiledCapsule,
    TruncatedCapsule,
)
from atectl.units import format_size, show_size
from atectl.wasm_binary import MAGIC, Kind, MalformedBinary, outline

if TYPE_CHECKING:
    from atectl.artifact_cache import Code

MAX_CAPSULE_BYTES = 1 << 30
"""The largest file read. Compiling takes many times as much memory."""

_NATIVE_MAGIC = b"\x7fELF"


class Capsule(NamedTuple):
    """A capsule, compiled and ready to be instantiated."""

    name: str
    """The file's name as it is; make it inert before it is shown."""
    kind: Kind
    code: "Code"
    sha256: str
    """Of the file as it was read."""
    table_bound: int
    """How many tables one instantiation can create at most."""
    was_cached: bool
    cache_error: CacheUnusable | None
    """Why the cache could not keep the artifact, if it could not."""


def load(engine: Engine, path: Path, cache: ArtifactCache | None) -> Capsule:
    """Read, judge and compile the capsule at `path`, or take its artifact from `cache`.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, not permitted, or too large (exit 126).
        NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule: its content is
            not that of a capsule (exit 126).
    """
    with _Source(path) as source:
        if cache is None:
            content = source.read()
            artifact = compile_capsule(engine, path.name, content)
            return _capsule(path.name, _hash(content), artifact)
        return _load_through(engine, source, cache)


def _load_through(engine: Engine, source: "_Source", cache: ArtifactCache) -> Capsule:
    name = source.path.name
    sha256 = cache.known_source(source.status)
    if sha256 is not None:
        known = cache.load(engine, sha256)
        if known is not None:
            return _capsule(name, sha256, known, was_cached=True)
    content = source.read()
    sha256 = _hash(content)
    cache.remember_source(source.status, sha256)
    known = cache.load(engine, sha256)
    if known is not None:
        return _capsule(name, sha256, known, was_cached=True)
    artifact = compile_capsule(engine, name, content)
    try:
        cache.store(engine, sha256, artifact, capsule=name)
    except CacheUnusable as error:
        return _capsule(name, sha256, artifact, cache_error=error)
    return _capsule(name, sha256, artifact)


def compile_capsule(engine: Engine, name: str, content: bytes) -> Artifact:
    """Compile the content of a capsule: a binary, or the text form of one.

    Args:
        name: of the file, for messages.

    Raises:
        NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule: the content is
            not that of a capsule (exit 126).
    """
    binary = _binary(name, content)
    try:
        found = outline(binary)
    except MalformedBinary as error:
        _compile(engine, name, binary, "component" if binary[4:5] == b"\x0d" else "module")
        raise InvalidCapsule(f"{name}: {error}") from None
    if found.is_truncated:
        size = show_size(len(content))
        raise TruncatedCapsule(f"{name}: the file ends too early, after {size}")
    return Artifact(found.kind, found.table_bound, _compile(engine, name, binary, found.kind))


class _Source:
    """A capsule's file, open for one reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags)
            self.status = os.fstat(self._descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise CapsuleNotFound(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    def __enter__(self) -> "_Source":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self) -> bytes:
        if not stat.S_ISREG(self.status.st_mode):
            raise CapsuleUnreadable(f"{self.path} is {_nature(self.status)}, not a regular file")
        if self.status.st_size > MAX_CAPSULE_BYTES:
            size, most = show_size(self.status.st_size), format_size(MAX_CAPSULE_BYTES)
            raise CapsuleUnreadable(
                f"{self.path} has {size}; no capsule over {most} is read",
                remedy="name a smaller capsule, or strip this one",
            )
        try:
            with open(self._descriptor, "rb", closefd=False) as file:
                return file.read(self.status.st_size)
        except OSError as error:
            raise _unreadable(self.path, error) from None


def _unreadable(path: Path, error: OSError | ValueError) -> CapsuleUnreadable:
    reason = error.strerror if isinstance(error, OSError) else None
    return CapsuleUnreadable(f"{path}: {reason or error}")


def _nature(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "a folder"
    if stat.S_ISFIFO(status.st_mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(status.st_mode) else "a device"


def _capsule(
    name: str,
    sha256: str,
    artifact: Artifact,
    *,
    was_cached: bool = False,
    cache_error: CacheUnusable | None = None,
) -> Capsule:
    kind, tables, code = artifact
    return Capsule(name, kind, code, sha256, tables, was_cached, cache_error)


def _hash(content: bytes) -> str:
    # Not on the warm path, which it would lengthen by the time OpenSSL takes to load.
    from hashlib import sha256

    return sha256(content).hexdigest()


def _binary(name: str, content: bytes) -> bytes:
    """The binary form of `content`."""
    if content.startswith(MAGIC) or (content and MAGIC.startswith(content)):
        return content
    if content.startswith(_NATIVE_MAGIC):
        raise PrecompiledCapsule(f"{name} holds native code")
    if not content:
        raise NotWebAssembly(f"{name} is empty")
    if not _is_text_form(content):
        raise NotWebAssembly(f"{name} is not WebAssembly: it begins with {repr(content[:8])[1:]}")
    return _assemble(name, content)


_BLANKS_AND_COMMENTS = re.compile(rb"[ \t\r\n]+|;;[^\r\n]*")
_COMMENT_EDGE = re.compile(rb"\(;|;\)")


def _is_text_form(content: bytes) -> bool:
    """Whether the first token behind blanks and comments is a parenthesis, and all is UTF-8."""
    position = 0
    while position < len(content):
        blank = _BLANKS_AND_COMMENTS.match(content, position)
        if blank:
            position = blank.end()
        elif content.startswith(b"(;", position):
            position = _end_of_comment(content, position)
        else:
            return content.startswith(b"(", position) and _is_utf8(content)
    return False


def _end_of_comment(content: bytes, start: int) -> int:
    """Where the block comment that begins at `start` ends; block comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(content, start):
        depth += 1 if edge[0] == b"(;" else -1
        if depth == 0:
            return edge.end()
    return len(content)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


_PLACE = re.compile(r"--> .*?:(\d+):(\d+)")


def _assemble(name: str, text: bytes) -> bytes:
    from wasmtime import WasmtimeError, wat2wasm

    try:
        return bytes(wat2wasm(text))
    except WasmtimeError as error:
        reason = str(error).partition("\n")[0]
        place = _PLACE.search(str(error))
        if place is None:
            raise InvalidCapsule(f"{name}: {reason}") from None
        line, column = int(place[1]), int(place[2])
        where = f"line {line}, column {column}"
        if reason.startswith("unterminated") or _is_at_end(text, line, column):
            raise TruncatedCapsule(f"{name}: the text ends too early, at {where}") from None
        raise InvalidCapsule(f"{name}: {reason}, at {where}") from None


def _is_at_end(text: bytes, line: int, column: int) -> bool:
    lines = text.decode().split("\n")[line - 1 :]
    return not "\n".join(lines)[column - 1 :].strip()


def _compile(engine: Engine, name: str, binary: bytes, kind: Kind) -> "Code":
    from wasmtime import Module, WasmtimeError

    try:
        if kind == "module":
            return Module(engine.native, binary)
        from wasmtime.component import Component

        return Component(engine.native, binary)
    except WasmtimeError as error:
        raise InvalidCapsule(f"{name}: {_reason(str(error))}") from None


_MAX_REASON = 500
_NUMBERED = re.compile(r"^\d+: ")


def _reason(message: str) -> str:
    """The innermost of the causes that the engine lists, on one line."""
    causes = [line.strip() for line in message.splitlines() if line.strip()]
    return _NUMBERED.sub("", causes[-1])[:_MAX_REASON] if causes else "the engine refuses it"
