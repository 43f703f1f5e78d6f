"""What the content of a file is, and its compilation: a binary, or the text form of one."""

import re
from typing import TYPE_CHECKING

from atectl.capsule.binary import MAGIC, MalformedBinary
from atectl.capsule.cache import Artifact, Engine
from atectl.capsule.outline import outline
from atectl.engine.kind import Kind
from atectl.errors import InvalidCapsule, NotWebAssembly, PrecompiledCapsule, TruncatedCapsule
from atectl.units import show_size

if TYPE_CHECKING:
    from atectl.capsule.cache import Code

_NATIVE_MAGIC = b"\x7fELF"


def compile_capsule(engine: Engine, name: str, content: bytes) -> Artifact:
    """Compile the content of a capsule: a binary, or the text form of one.

    Args:
        name: of the file, for messages.

    Raises:
        NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule: the content is
            not that of a capsule (exit 126).
    """
    binary = binary_form(name, content)
    try:
        found = outline(binary)
    except MalformedBinary as error:
        _compile(engine, name, binary, "component" if binary[4:5] == b"\x0d" else "module")
        raise InvalidCapsule(f"{name}: {error}") from None
    if found.is_truncated:
        size = show_size(len(content))
        raise TruncatedCapsule(f"{name}: the file ends too early, after {size}")
    return Artifact(found.kind, found.table_bound, _compile(engine, name, binary, found.kind))


def binary_form(name: str, content: bytes) -> bytes:
    """The binary form of `content`: itself, or what the text form assembles to.

    Args:
        name: of the file, for messages.

    Raises:
        NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule: it is neither
            (exit 126).
    """
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
