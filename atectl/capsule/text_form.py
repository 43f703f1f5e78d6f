"""The text form of WebAssembly: how it is recognised, and how it becomes a binary."""

import re

from atectl.errors import InvalidCapsule, TruncatedCapsule

_BLANKS_AND_COMMENTS = re.compile(rb"[ \t\r\n]+|;;[^\r\n]*")
_COMMENT_EDGE = re.compile(rb"\(;|;\)")
_PLACE = re.compile(r"--> .*?:(\d+):(\d+)")


def is_text_form(content: bytes) -> bool:
    """Whether the first token after blanks and comments is a parenthesis, and all is UTF-8."""
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


def assemble(name: str, text: bytes) -> bytes:
    """Assemble `text` into a binary.

    Args:
        name: of the file, for messages.

    Raises:
        TruncatedCapsule, InvalidCapsule: it cannot be assembled (exit 126).
    """
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


def _is_at_end(text: bytes, line: int, column: int) -> bool:
    lines = text.decode().split("\n")[line - 1 :]
    return not "\n".join(lines)[column - 1 :].strip()
