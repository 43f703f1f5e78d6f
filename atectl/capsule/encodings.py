"""Capsules as they arrive: compressed, written as digits, embedded in a spec, or all of these.

The first bytes tell which encoding is outermost. They are checked in this order:

1. A WebAssembly binary, native code or the text form is content: nothing is decoded.
2. gzip and zstd have a magic number.
3. A brace begins JSON: a workflow spec, see `specs`.
4. Text that has only hexadecimal digits is hex; text that has only base64 digits is base64. But
   this counts only if it decodes to something that begins like an entry of this list. So a note of
   a few words is not taken for base64.
5. Brotli has no magic number, and nearly any bytes can begin it. It is tried last. If the file's
   name contains `.br` or `.brotli`, or if a spec surrounds it, anything that decodes is accepted.
   Otherwise the decoded bytes must begin with the magic number of a binary.

The decoded bytes are then checked in the same way. Everything is streamed, so that the encoded and
the decoded form are never in memory together.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple

from atectl.capsule import decoders
from atectl.capsule.binary import MAGIC
from atectl.capsule.errors import (
    CapsuleTooLarge,
    DecodingOverBound,
    ExtraMissing,
    Undecodable,
)
from atectl.capsule.limits import DEFAULT_MAX_CAPSULE_BYTES
from atectl.capsule.pieces import PIECE_BYTES, FilePieces, Pieces, Readable, joined
from atectl.capsule.source import is_named_brotli
from atectl.capsule.specs import embedded_text
from atectl.errors import NotWebAssembly
from atectl.units import format_size

Encoding = Literal["gzip", "zstd", "brotli", "hex", "base64", "spec"]

MAX_RATIO = 200
"""How many times larger than its file a capsule may be. Real ones stay below 10."""

HARMLESS_BYTES = 16 << 20
"""Up to this size the ratio is not checked: a small capsule may well be mostly zeros."""

MAX_DEPTH = 4
"""How many encodings may be nested."""

MAX_TEXT_GROWTH = 4
"""How many times larger than the content a half-decoded form may be: hex of hex is 4 times."""

_LOOK_BYTES = PIECE_BYTES
"""How many bytes are examined. Brotli may need some 10 KiB to decode its first byte."""

_USUAL_WINDOW_BYTES = 8 << 20
"""The window that every decoder of zstd should support, as the format recommends."""

_CERTAIN_DIGITS = 64
"""From this length on, text of one alphabet is surely encoded: a note is shorter."""

_ELF, _GZIP, _ZSTD = b"\x7fELF", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_BEGINS_AS_TEXT = re.compile(rb"[ \t\r\n]*+(?:\(|;;)")
_BEGINS_AS_MODULE = re.compile(
    rb"(?:[ \t\r\n]|;;[^\n]*+\n|\(;.*?;\))*+\([ \t\r\n]*+(?:module|component)\b", re.DOTALL
)
_BEGINS_AS_SPEC = re.compile(rb'[ \t\r\n]*+\{[ \t\r\n]*+["}]')
_ALL_DIGITS = re.compile(rb"(?:[0-9a-fA-F]+|[A-Za-z0-9+/_-]+={0,2})\s*")


class Decoded(NamedTuple):
    """A capsule without its encodings."""

    content: bytes
    """A binary, the text form, or whatever else was in the file: that is not judged here."""
    encodings: tuple[Encoding, ...]
    """The encodings that were removed, the outermost first; empty if there were none."""
    size_bytes: int
    """The size of the file, as it was read."""
    sha256: str
    """The hash of the file, as it was read, in hexadecimal digits."""


def begins_as_capsule(head: bytes) -> bool:
    """Whether a content is surely a capsule, or a compressed one, by its first bytes."""
    return head.startswith((MAGIC, _GZIP, _ZSTD)) or _BEGINS_AS_MODULE.match(head) is not None


def decode(
    file: Readable,
    *,
    name: str,
    max_bytes: int = DEFAULT_MAX_CAPSULE_BYTES,
    max_ratio: int = MAX_RATIO,
) -> Decoded:
    """Read `file` to its end, and remove all its encodings.

    It takes less memory than 9/8 of `max_bytes` and the windows of the decoders together. A window
    is a quarter of `max_bytes` for zstd, at least 8 MiB; for the others it is below 20 MiB.

    Args:
        file: read from its current position; it need not be seekable.
        name: of the file, for messages, and to look for `.br` in it.
        max_bytes: the maximum size of the content.
        max_ratio: how many times larger than the part of the file that was read the content may
            be. This counts once the content is larger than `HARMLESS_BYTES`.

    Raises:
        DecodingOverBound: it decodes to too much, or is encoded too often (exit 126).
        Undecodable: an encoding is damaged, ends too early, or holds several specs (exit 126).
        CapsuleTooLarge: it is not encoded, and larger than `max_bytes` (exit 126).
        NotWebAssembly: it is JSON, but not a spec (exit 126).
        ExtraMissing: the package for an encoding is not installed (exit 125).
        OSError: `file` could not be read.
    """
    source = FilePieces(file)
    bounds = _Bounds(name, source, max_bytes, max_ratio)
    try:
        pieces, encodings = _unwrapped(source, bounds)
        content = joined(pieces, max_bytes)
    except NotWebAssembly as error:
        raise NotWebAssembly(f"{name} is not WebAssembly: {error}") from None
    except (Undecodable, ExtraMissing) as error:
        raise type(error)(f"{name}: {error}", remedy=error.remedy) from None
    if content is None:
        raise bounds.size_error(is_encoded=bool(encodings))
    return Decoded(content, encodings, source.size_bytes, source.sha256)


class _Bounds:
    """The bounds on decoding one file."""

    def __init__(self, name: str, source: FilePieces, max_bytes: int, max_ratio: int) -> None:
        self.name, self.max_bytes = name, max_bytes
        self._source, self._max_ratio = source, max_ratio

    def held(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of the file or of a decoder; raises if they exceed a bound."""
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self.max_bytes * MAX_TEXT_GROWTH:
                raise self.size_error(is_encoded=True)
            if size > HARMLESS_BYTES and size > self._source.size_bytes * self._max_ratio:
                raise DecodingOverBound(
                    f"{self.name} decodes to more than {self._max_ratio} times its size"
                )
            yield piece

    def size_error(self, *, is_encoded: bool) -> DecodingOverBound | CapsuleTooLarge:
        most = format_size(self.max_bytes)
        if is_encoded:
            return DecodingOverBound(f"{self.name} decodes to more than {most}")
        return CapsuleTooLarge(f"{self.name} has more than {most}; no larger capsule is accepted")


def _unwrapped(source: FilePieces, bounds: _Bounds) -> tuple[Pieces, tuple[Encoding, ...]]:
    """The content of the file, still to be read, and the encodings around it."""
    pieces = Pieces(bounds.held(iter(source)))
    encodings: list[Encoding] = []
    may_be_brotli = is_named_brotli(bounds.name)
    while encoding := _outermost(pieces.peek(_LOOK_BYTES), may_be_brotli=may_be_brotli):
        if len(encodings) == MAX_DEPTH:
            raise DecodingOverBound(f"{bounds.name} is encoded more than {MAX_DEPTH} times over")
        encodings.append(encoding)
        may_be_brotli = (may_be_brotli and encoding != "brotli") or encoding == "spec"
        decoder = _decoder(encoding, bounds.max_bytes)
        pieces = Pieces(bounds.held(decoder(iter(pieces))))
    return pieces, tuple(encodings)


def _decoder(encoding: Encoding, max_bytes: int) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    match encoding:
        case "gzip":
            return decoders.gunzip
        case "zstd":
            return partial(decoders.unzstd, max_window=max(max_bytes // 4, _USUAL_WINDOW_BYTES))
        case "brotli":
            return decoders.unbrotli
        case "hex":
            return decoders.unhex
        case "base64":
            return decoders.unbase64
        case "spec":
            return embedded_text


def _outermost(head: bytes, *, may_be_brotli: bool, depth: int = 0) -> Encoding | None:
    """The encoding that `head` begins with; None if it is content."""
    if head.startswith((MAGIC, _ELF)) or not head:
        return None
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    if _BEGINS_AS_TEXT.match(head):
        return None
    if _BEGINS_AS_SPEC.match(head):
        return "spec"
    digits = _outermost_digits(head, may_be_brotli=may_be_brotli, depth=depth)
    return digits or _brotli_if_so(head, may_be_brotli=may_be_brotli)


def _outermost_digits(head: bytes, *, may_be_brotli: bool, depth: int) -> Encoding | None:
    if depth > MAX_DEPTH:
        return None
    for encoding in ("hex", "base64"):
        inner = _first(_decoder(encoding, 0), head)
        if inner and (
            inner.startswith(MAGIC)
            or _BEGINS_AS_MODULE.match(inner)
            or _outermost(inner, may_be_brotli=may_be_brotli, depth=depth + 1)
        ):
            return encoding
    return None


def _brotli_if_so(head: bytes, *, may_be_brotli: bool) -> Encoding | None:
    try:
        begins = _first(decoders.unbrotli, head, len(MAGIC))
    except ExtraMissing:
        if may_be_brotli or (len(head) >= _CERTAIN_DIGITS and _ALL_DIGITS.fullmatch(head)):
            raise
        return None
    if begins.startswith(MAGIC) or (may_be_brotli and begins):
        return "brotli"
    return None


def _first(
    decoder: Callable[[Iterator[bytes]], Iterator[bytes]], head: bytes, count: int = _LOOK_BYTES
) -> bytes:
    """Up to `count` of the first bytes that `head` decodes to, as far as it can be decoded."""
    decoded = b""
    try:
        for piece in decoder(iter((head,))):
            decoded += piece
            if len(decoded) >= count:
                break
    except Undecodable:
        pass  # `head` may be cut off in the middle
    return decoded
