"""Workflow specs: JSON objects that hold a capsule as text among other facts.

A spec is a JSON object, alone in its file or one of several behind one another, as in a file of
JSON lines. Its capsule is the string under `workflow` or `binary`, and its name the string under
`workflow_name` or `name`. Case and underscores do not count, so `Workflow` and `WorkflowName` are
the same keys: a record of a database is written the one way, Go's structures the other. All else
in the object is passed over. What is in the string, such as hexadecimal digits over brotli, is
for `encodings` to say.

The text is handed on as it is read: a spec is never held whole.
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
"""The longest key that is looked at; a longer one is none of those above."""

MAX_NAME_BYTES = 200
"""How much of a spec's name is kept."""

MAX_PARTS = 4_000_000
"""How many braces, quotes, commas and escapes are gone through, some seconds' work."""

_STRUCTURE = re.compile(rb'["{}\[\]:,]')
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

_OBJECT, _BINARY, _NAME, _END = "object", "binary", "name", "end"


class Spec(NamedTuple):
    """One spec of a file: where it is, and what it is called."""

    name: str
    """As the spec says it, empty if it does not; make it inert before it is shown."""
    offset: int
    """Where in the file its object begins, in bytes."""
    size_bytes: int
    """How long its object is."""


class _Event(NamedTuple):
    """What the scanner came upon. A string that matters begins with an empty `text`."""

    kind: str
    text: bytes
    offset: int
    """Of the piece for a string, of the brace for an object and its end."""


def embedded_text(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text under `workflow` or `binary` of the one spec that `pieces` hold.

    Raises:
        NotWebAssembly: there is none.
        Undecodable: it is no JSON, or holds several.
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
    """The specs of a file of JSON lines, in their order; objects without a binary are none.

    Raises:
        Undecodable: it is no JSON.
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
            yield Spec(name.decode("utf-8", "replace"), start, event.offset + 1 - start)


def _scan(pieces: Iterator[bytes]) -> Iterator[_Event]:
    scanner = _Scanner()
    for piece in pieces:
        yield from scanner.take(piece)
    if scanner.is_unfinished:
        raise Undecodable("its JSON ends too early")


class _Scanner:
    """Goes through JSON as it comes, and tells of the strings of outermost objects that matter."""

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
        """Where the next byte is that means something here; the length of `piece` for nowhere."""
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
            self._key = b""  # and it stays so in what is nested: see `_take_text`
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


def _unescaped(escape: bytes) -> bytes:
    """What stands behind a backslash, as UTF-8."""
    if escape[:1] != b"u":
        return _ESCAPES.get(escape, escape)
    try:
        return chr(int(escape[1:], 16)).encode("utf-8", "replace")
    except ValueError:
        raise Undecodable("its JSON has an escape that is none") from None
