"""One decoder for each encoding: from pieces to pieces, none larger than twice `PIECE_BYTES`.

A decoder holds at most one encoded piece, one decoded piece and the window of its format: 32 KiB
for gzip, 16 MiB for brotli, `max_window` for zstd. One that gets no memory for it raises
MemoryError, which says nothing about the data.
"""

import zlib
from binascii import Error as NoDigits
from binascii import a2b_base64, unhexlify
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from atectl.capsule.errors import ExtraMissing, Undecodable
from atectl.capsule.pieces import PIECE_BYTES

MAX_MEMBERS = 10_000
"""How many gzip members or zstd frames may follow one another in one stream."""

_GZIP_FORMAT = 31
_MOST_AT_ONCE_BYTES = 17 << 20
"""The most memory that the decoder of brotli asks for at once: its window and a little more."""

_ZSTD_HAS_NO_MEMORY = "not enough memory"
_LINE_ENDS = b"\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode gzip: one member, or several after one another, padded with zeros or not."""
    members = 0
    decoder = None
    for piece in pieces:
        data = piece
        while data:
            if decoder is None:
                data = data.lstrip(b"\0") if members else data
                if not data:
                    break
                members += 1
                _check_members(members, "gzip")
                decoder = zlib.decompressobj(_GZIP_FORMAT)
            try:
                decoded = decoder.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise Undecodable(f"its gzip data is damaged: {error}") from None
            if decoded:
                yield decoded
            if decoder.eof:
                data, decoder = decoder.unused_data, None
            else:
                data = decoder.unconsumed_tail
    if decoder is not None:
        yield decoder.flush()
        if not decoder.eof:
            raise _ended("gzip")


def unzstd(pieces: Iterator[bytes], max_window: int) -> Iterator[bytes]:
    """Decode zstd: one frame, or several after one another.

    Args:
        max_window: the largest window that a frame may ask for, 1 KiB to 2 GiB.
    """
    zstd = _zstd()
    options = {zstd.DecompressionParameter.window_log_max: max_window.bit_length() - 1}
    frames = 0
    decoder = None
    for piece in pieces:
        data = piece
        while data or (decoder is not None and not decoder.needs_input):
            if decoder is None:
                frames += 1
                _check_members(frames, "zstd")
                decoder = zstd.ZstdDecompressor(options=options)
            try:
                decoded = decoder.decompress(data, PIECE_BYTES)
            except zstd.ZstdError as error:
                if _ZSTD_HAS_NO_MEMORY in str(error):
                    raise MemoryError from None
                raise Undecodable(f"its zstd data cannot be decoded: {error}") from None
            if decoded:
                yield decoded
            if decoder.eof:
                data, decoder = decoder.unused_data, None
            else:
                data = b""
    if decoder is not None:
        raise _ended("zstd")


def unbrotli(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode brotli."""
    brotli = _brotli()
    decoder = brotli.Decompressor()
    for piece in pieces:
        if decoder.is_finished():
            raise Undecodable("something follows its brotli data")
        data = piece
        while True:
            try:
                decoded = decoder.process(data, output_buffer_limit=PIECE_BYTES)
            except brotli.error:
                # It does not say whether the data is damaged, or there was too little memory.
                # If there was, there still is. Its own memory is not free yet.
                bytearray(_MOST_AT_ONCE_BYTES)
                raise Undecodable("its brotli data is damaged") from None
            if decoded:
                yield decoded
            elif decoder.can_accept_more_data() or decoder.is_finished():
                break
            data = b""
    if not decoder.is_finished():
        raise _ended("brotli")


def unhex(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode hexadecimal digits of either case, in one line or several."""
    odd = b""
    for piece in pieces:
        digits = odd + piece.translate(None, _LINE_ENDS)
        even = len(digits) & ~1
        odd = digits[even:]
        try:
            decoded = unhexlify(digits[:even])
        except NoDigits:
            raise _no_digits("hexadecimal") from None
        yield decoded
    if odd:
        raise _ended("hex")


def unbase64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode base64 in its usual alphabet or the URL-safe one, padded or not, in lines or not."""
    left = b""
    padding = 0
    for piece in pieces:
        digits = piece.translate(_URL_SAFE, _LINE_ENDS)
        bare = digits.rstrip(b"=")
        if bare and (padding or b"=" in bare):
            raise _no_digits("base64")
        padding += len(digits) - len(bare)
        digits = left + bare
        whole = len(digits) & ~3
        left = digits[whole:]
        yield _of_base64(digits[:whole])
    if len(left) == 1 or padding > 2:
        raise _ended("base64")
    if left:
        yield _of_base64(left + b"=" * (4 - len(left)))


def _of_base64(digits: bytes) -> bytes:
    try:
        return a2b_base64(digits, strict_mode=True)
    except NoDigits:
        raise _no_digits("base64") from None


def _check_members(count: int, encoding: str) -> None:
    if count > MAX_MEMBERS:
        raise Undecodable(f"its {encoding} data is in more than {MAX_MEMBERS} parts")


def _no_digits(which: str) -> Undecodable:
    return Undecodable(f"among its {which} digits is something else")


def _ended(encoding: str) -> Undecodable:
    return Undecodable(f"its {encoding} data ends too early")


def _zstd() -> Any:
    try:
        return _imported("compression.zstd")
    except ModuleNotFoundError:
        try:
            return _imported("backports.zstd")
        except ModuleNotFoundError:
            raise _missing("zstd") from None


def _brotli() -> Any:
    try:
        return _imported("brotli")
    except ModuleNotFoundError:
        raise _missing("brotli") from None


def _imported(name: str) -> ModuleType:
    """A module that is partly native code.

    Raises:
        ModuleNotFoundError: it is not installed.
        MemoryError: it is, and cannot be loaded: its code gets no memory.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise
    except ImportError:
        raise MemoryError from None


def _missing(encoding: str) -> ExtraMissing:
    return ExtraMissing(
        f"decoding {encoding} needs a package that is not installed",
        remedy="pip install 'atectl[encodings]'",
    )
