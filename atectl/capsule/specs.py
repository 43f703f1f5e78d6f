"""Workflow specs: JSON objects that hold a capsule as text among other facts.

A spec is a JSON object. A file holds one of them, or several after one another, as JSON lines do.
The capsule is the string under `workflow` or `binary`, and its name the string under
`workflow_name` or `name`. Case and underscores are ignored, so `Workflow` and `WorkflowName` are
the same keys: records of a database are written the one way, Go's structures the other. Everything
else in the object is skipped. The string is usually encoded again, for example as hexadecimal
digits of brotli data: see `encodings`.

The text is passed on as it is read; a whole spec is never in memory.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from atectl.capsule.errors import Undecodable
from atectl.capsule.pieces import FilePieces, Readable
from atectl.errors import NotWebAssembly

_BINARY_KEYS = ("workflow", "binary")
_NAME_KEYS = ("workflowname", "name")

MAX_KEY_BYTES = 64
"""The longest key that is compared; a longer one is none of those above."""

MAX_NAME_BYTES = 200
"""How much of a spec's name is kept."""

MAX_PARTS = 4_000_000
"""The maximum number of braces, quotes, commas and escapes; so many take some seconds to read."""

_STRUCTURE = re.compile(rb'["{}\[\]:,]')
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

_OBJECT, _BINARY, _NAME, _END = "object", "binary", "name", "end"


class Spec(NamedTuple):
    """One spec of a file: where it is, and what it is called."""

    name: str
    """As the spec has it, empty if it has none; make it inert before it is shown."""
    offset: int
    """Where in the file its object begins, in bytes."""
    size_bytes: int
    """The size of its object."""


class _Event(NamedTuple):
    """What the scanner found. The first event of a wanted string has an empty `text`."""

    kind: str
    text: bytes
    offset: int
    """Where the piece of a string begins, or where the brace of an object is."""


def embedded_text(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text under `workflow` or `binary` of the one spec that `pieces` hold.

    Raises:
        NotWebAssembly: there is none.
        Undecodable: it is not JSON, or holds several specs.
    """
    found = 0
    for event in _scan(pieces):
        if event.kind != _BINARY:
            continue
        if event.text:
            yield event.text
            continue
        found += 1
        if found > 1:
            raise Undecodable(
                "it holds several workflow specs", remedy="give each spec a file of its own"
            )
    if not found:
        raise NotWebAssembly("it is JSON, and has no text under `workflow` or `binary`")


def specs_in(file: Readable) -> Iterator[Spec]:
    """The specs of a file of JSON lines, in their order. Objects without a binary are skipped.

    Raises:
        Undecodable: it is not JSON.
    """
    name, start, has_binary = b"", 0, False
    for event in _scan(iter(FilePieces(file))):
        if event.kind == _OBJECT:
            name, start, has_binary = b"", event.offset, False
        elif event.kind == _NAME:
            name = (name + event.text)[:MAX_NAME_BYTES]
        elif event.kind == _BINARY:
            has_binary = True
        elif has_binary:
            yield Spec(_text_of(name), start, event.offset + 1 - start)


def _scan(pieces: Iterator[bytes]) -> Iterator[_Event]:
    scanner = _Scanner()
    for piece in pieces:
        yield from scanner.take(piece)
    if scanner.is_unfinished:
        raise Undecodable("its JSON ends too early")


class _Scanner:
    """Reads JSON as it comes, and reports outermost objects and the wanted strings in them."""

    def __init__(self) -> None:
        self._offset = 0
        self._depth = 0
        self._parts = 0
        self._is_in_string = False
        self._escape: bytes | None = None
        self._is_value = False
        self._key = b""
        self._wanted: str | None = None

    @property
    def is_unfinished(self) -> bool:
        return self._depth > 0 or self._is_in_string

    def take(self, piece: bytes) -> Iterator[_Event]:
        position = 0
        while position < len(piece):
            self._parts += 1
            if self._parts > MAX_PARTS:
                raise Undecodable(f"its JSON has more than {MAX_PARTS} parts")
            if self._escape is not None:
                yield from self._take_escaped(piece[position : position + 1])
                position += 1
                continue
            end = self._next_edge(piece, position)
            if self._is_in_string:
                yield from self._take_text(piece[position:end])
            if end < len(piece):
                yield from self._take_edge(piece[end : end + 1], self._offset + end)
            position = end + 1
        self._offset += len(piece)

    def _next_edge(self, piece: bytes, position: int) -> int:
        """Where the next byte is that matters here; the length of `piece` if there is none."""
        if not self._is_in_string:
            found = _STRUCTURE.search(piece, position)
            return found.start() if found else len(piece)
        # Several times as fast as a pattern, and strings are long.
        quote = piece.find(b'"', position)
        end = len(piece) if quote < 0 else quote
        escape = piece.find(b"\\", position, end)
        return end if escape < 0 else escape

    def _take_edge(self, edge: bytes, offset: int) -> Iterator[_Event]:
        match edge:
            case b"\\":
                self._escape = b""
            case b'"':
                yield from self._cross_quote()
            case b"{" | b"[":
                if self._depth == 0:
                    if edge == b"[":
                        raise Undecodable("its JSON is a list, not an object or several")
                    yield _Event(_OBJECT, b"", offset)
                self._depth += 1
                self._is_value = False
            case b"}" | b"]":
                self._depth -= 1
                if self._depth < 0:
                    raise Undecodable("its JSON closes what was not opened")
                if self._depth == 0:
                    yield _Event(_END, b"", offset)
            case b":":
                self._is_value = True
            case b",":
                self._is_value = False

    def _cross_quote(self) -> Iterator[_Event]:
        if self._is_in_string:
            self._is_in_string = False
            self._wanted = None
            return
        self._is_in_string = True
        if not self._is_value:
            self._key = b""  # within nested values it stays empty: see `_take_text`
            return
        key = self._key.replace(b"_", b"").lower().decode("ascii", "replace")
        if key in _BINARY_KEYS:
            self._wanted = _BINARY
        elif key in _NAME_KEYS:
            self._wanted = _NAME
        if self._wanted:
            yield _Event(self._wanted, b"", self._offset)

    def _take_text(self, text: bytes) -> Iterator[_Event]:
        if self._wanted:
            if text:
                yield _Event(self._wanted, text, self._offset)
        elif self._depth == 1 and not self._is_value:
            self._key = (self._key + text)[: MAX_KEY_BYTES + 1]

    def _take_escaped(self, byte: bytes) -> Iterator[_Event]:
        self._escape = (self._escape or b"") + byte
        if self._escape[:1] == b"u" and len(self._escape) < 5:
            return
        escape, self._escape = self._escape, None
        yield from self._take_text(_unescaped(escape))


def _text_of(name: bytes) -> str:
    """The text of a name, where two escapes may stand for the halves of one character."""
    try:
        halves = name.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
    except UnicodeDecodeError:
        return name.decode("utf-8", "replace")
    return halves.decode("utf-16", "replace")


def _unescaped(escape: bytes) -> bytes:
    """What an escape stands for, as UTF-8: a character, or half of one."""
    if escape[:1] != b"u":
        return _ESCAPES.get(escape, escape)
    try:
        return chr(int(escape[1:], 16)).encode("utf-8", "surrogatepass")
    except ValueError:
        raise Undecodable("its JSON has an invalid escape") from None
