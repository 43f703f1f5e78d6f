"""Capsules as they arrive: compressed, written as digits, embedded in a spec, or all of these.

Which encoding is outermost is told by what the bytes begin with, in this order:

1. A WebAssembly binary, native code or the text form is content: nothing is decoded.
2. gzip and zstd have a magic number.
3. A brace begins JSON: a workflow spec, see `specs`.
4. Digits of one alphabet throughout are hex, else base64, if what they decode to begins as
   something of this list. So a note of a few words is not taken for base64.
5. Brotli has no magic number, and nearly any bytes can be its beginning. It is tried last: where
   the file's name has `.br` or `.brotli` in it or a spec surrounds it, whatever comes out; else
   only if what comes out begins with the magic number of a binary.

Then what was decoded is looked at in the same way. Everything goes through as a stream, so that
the encoded and the decoded form are never held together.
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
from atectl.capsule.specs import embedded_text
from atectl.errors import NotWebAssembly
from atectl.units import format_size

Encoding = Literal["gzip", "zstd", "brotli", "hex", "base64", "spec"]

MAX_RATIO = 200
"""How many times its file a capsule may be. A real one is below 10; gzip reaches 1,032."""

HARMLESS_BYTES = 16 << 20
"""Up to this size the ratio does not count: a small capsule may well be mostly zeros."""

MAX_DEPTH = 4
"""How many encodings may lie over one another."""

MAX_TEXT_GROWTH = 4
"""What lies between two encodings may be so many times the content: hex over hex is 4 times."""

_LOOK_BYTES = PIECE_BYTES
"""How much is looked at. Brotli may need some 10 KiB before its first byte comes out."""

_USUAL_WINDOW_BYTES = 8 << 20
"""What a decoder of zstd should be able to keep, by the format's own advice."""

_CERTAIN_DIGITS = 64
"""From so many digits on, text of one alphabet is no accident."""

_ELF, _GZIP, _ZSTD = b"\x7fELF", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_BEGINS_AS_TEXT = re.compile(rb"[ \t\r\n]*+(?:\(|;;)")
_BEGINS_AS_MODULE = re.compile(
    rb"(?:[ \t\r\n]|;;[^\n]*+\n|\(;.*?;\))*+\([ \t\r\n]*+(?:module|component)\b", re.DOTALL
)
_BEGINS_AS_SPEC = re.compile(rb'[ \t\r\n]*+\{[ \t\r\n]*+["}]')
_ALL_DIGITS = re.compile(rb"(?:[0-9a-fA-F]+|[A-Za-z0-9+/_-]+={0,2})\s*")


class Decoded(NamedTuple):
    """A capsule as it is behind all its encodings."""

    content: bytes
    """A binary, the text form, or whatever else was in the file: that is not judged here."""
    encodings: tuple[Encoding, ...]
    """What was decoded, the outermost first; empty for a file that is a capsule as it stands."""
    size_bytes: int
    """Of the file as it was read."""
    sha256: str
    """Of the file as it was read, in hexadecimal digits."""


def decode(
    file: Readable,
    *,
    name: str,
    max_bytes: int = DEFAULT_MAX_CAPSULE_BYTES,
    max_ratio: int = MAX_RATIO,
) -> Decoded:
    """Read `file` to its end, and decode it as often as it is encoded.

    Memory stays below `max_bytes`, an eighth of it, and what the decoders keep: for zstd a
    quarter of `max_bytes` but at least 8 MiB, for the others less than 20 MiB.

    Args:
        file: read from where it stands; it need not be seekable.
        name: of the file, for messages, and for `.br` in it.
        max_bytes: the most bytes that the content may have.
        max_ratio: how many times what was read of the file the content may be, once it is larger
            than `HARMLESS_BYTES`.

    Raises:
        DecodingOverBound: it decodes to too much, or is encoded too often (exit 126).
        Undecodable: an encoding is damaged, ends too early, or holds several specs (exit 126).
        CapsuleTooLarge: it is not encoded, and larger than `max_bytes` (exit 126).
        NotWebAssembly: it is JSON, and no spec (exit 126).
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
    """What decoding one file may come to."""

    def __init__(self, name: str, source: FilePieces, max_bytes: int, max_ratio: int) -> None:
        self.name, self.max_bytes = name, max_bytes
        self._source, self._max_ratio = source, max_ratio

    def held(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of the file or of a decoder, for as long as they are not too many."""
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
        return CapsuleTooLarge(f"{self.name} has more than {most}; no larger capsule is taken")


def _unwrapped(source: FilePieces, bounds: _Bounds) -> tuple[Pieces, tuple[Encoding, ...]]:
    """The content of the file, still to be read, and what lies over it."""
    pieces = Pieces(bounds.held(iter(source)))
    encodings: list[Encoding] = []
    parts = bounds.name.lower().split(".")[1:]
    may_be_brotli = "br" in parts or "brotli" in parts
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
    """The encoding that `head` is the beginning of; None if it is content."""
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
        pass  # the head is cut off anywhere
    return decoded
