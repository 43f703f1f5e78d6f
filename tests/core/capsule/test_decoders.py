"""Each encoding decoded piece by piece, whole or not at all."""

import base64
import contextlib
import gzip
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule import decoders
from atectl.capsule.decoders import gunzip, unbase64, unbrotli, unhex, unzstd
from atectl.capsule.errors import ExtraMissing, Undecodable
from atectl.capsule.pieces import PIECE_BYTES

Decoder = Callable[[Iterator[bytes]], Iterator[bytes]]

ENCODINGS: dict[str, tuple[Callable[[bytes], bytes], Decoder]] = {
    "gzip": (gzip.compress, gunzip),
    "zstd": (zstd.compress, partial(unzstd, max_window=8 << 20)),
    "brotli": (partial(brotli.compress, quality=4), unbrotli),
    "hex": (lambda content: content.hex().encode(), unhex),
    "hex in capitals": (lambda content: content.hex().upper().encode(), unhex),
    "base64": (base64.b64encode, unbase64),
    "base64 in lines": (base64.encodebytes, unbase64),
    "base64 for URLs": (base64.urlsafe_b64encode, unbase64),
    "base64 without padding": (lambda c: base64.b64encode(c).rstrip(b"="), unbase64),
}
BINARY = [name for name in ENCODINGS if not name.startswith(("hex", "base64"))]


def decoded(decoder: Decoder, encoded: bytes, piece_bytes: int = PIECE_BYTES) -> bytes:
    pieces = (encoded[at : at + piece_bytes] for at in range(0, len(encoded), piece_bytes))
    return b"".join(decoder(pieces))


@pytest.mark.parametrize("name", ENCODINGS)
@given(content=st.binary(max_size=300), piece_bytes=st.integers(1, 40))
def test_what_was_encoded_comes_back(name: str, content: bytes, piece_bytes: int) -> None:
    encode, decoder = ENCODINGS[name]
    assert decoded(decoder, encode(content), piece_bytes) == content


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_large_comes_back_in_small_pieces(name: str) -> None:
    encode, decoder = ENCODINGS[name]
    content = random.Random(1).randbytes(1 << 20) + bytes(4 << 20)
    encoded = encode(content)
    pieces = list(decoder(encoded[at : at + 999] for at in range(0, len(encoded), 999)))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 2 * PIECE_BYTES


UNDER_LIMIT = """
import resource, sys
from pathlib import Path
from atectl.capsule import decoders
from atectl.capsule.errors import Undecodable
import brotli
from backports import zstd

encoded = Path(sys.argv[2]).read_bytes()
taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (taken + (2 << 20), resource.RLIM_INFINITY))
more = {"max_window": 8 << 20} if sys.argv[1] == "unzstd" else {}
try:
    for piece in getattr(decoders, sys.argv[1])(iter((encoded,)), **more):
        pass
except (MemoryError, Undecodable) as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("name", ["zstd", "brotli"])
def test_too_little_memory_is_not_taken_for_damage(name: str, tmp_path: Path) -> None:
    encoded = tmp_path / name
    encoded.write_bytes(ENCODINGS[name][0](bytes(64 << 20)))
    words = [sys.executable, "-c", UNDER_LIMIT, f"un{name}", encoded]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ended.stdout == "MemoryError\n"


@pytest.mark.parametrize("name", BINARY)
def test_what_ends_too_early_is_refused_wherever_it_ends(name: str) -> None:
    encode, decoder = ENCODINGS[name]
    encoded = encode(random.Random(2).randbytes(500))
    for length in range(1, len(encoded)):
        with pytest.raises(Undecodable, match=r"ends too early|damaged|cannot be decoded"):
            decoded(decoder, encoded[:length])


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_something_else_is_refused(name: str) -> None:
    with pytest.raises(Undecodable):
        decoded(ENCODINGS[name][1], b"\xff\xfe?!" * 10)


@pytest.mark.parametrize("name", ENCODINGS)
@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(name: str, content: bytes) -> None:
    with contextlib.suppress(Undecodable):
        decoded(ENCODINGS[name][1], content)


@pytest.mark.parametrize(
    ("decoder", "encoded"),
    [(unhex, b"abc"), (unbase64, b"QUJDR"), (unbase64, b"QQ==="), (unbase64, b"QQ==QQ==")],
)
def test_digits_that_make_no_whole_bytes_are_refused(decoder: Decoder, encoded: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded(decoder, encoded)


@pytest.mark.parametrize("piece_bytes", [1, 7, 10_000])
@pytest.mark.parametrize("padding", [0, 5])
def test_gzip_may_be_in_several_members_and_padded(piece_bytes: int, padding: int) -> None:
    encoded = (gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")) + bytes(padding)
    assert decoded(gunzip, encoded, piece_bytes) == b"one two"


@pytest.mark.parametrize("piece_bytes", [1, 7, 10_000])
def test_zstd_may_be_in_several_frames(piece_bytes: int) -> None:
    encoded = zstd.compress(b"one ") + zstd.compress(b"two")
    assert decoded(ENCODINGS["zstd"][1], encoded, piece_bytes) == b"one two"


@pytest.mark.parametrize("encode_and_decoder", [ENCODINGS["gzip"], ENCODINGS["zstd"]])
def test_more_parts_than_any_tool_makes_are_refused(
    encode_and_decoder: tuple[Callable[[bytes], bytes], Decoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, decoder = encode_and_decoder
    monkeypatch.setattr(decoders, "MAX_MEMBERS", 20)
    assert decoded(decoder, encode(b"") * 20) == b""
    with pytest.raises(Undecodable, match="more than 20 parts"):
        decoded(decoder, encode(b"") * 21)


@pytest.mark.parametrize("name", BINARY)
def test_something_behind_the_encoded_data_is_refused(name: str) -> None:
    encode, decoder = ENCODINGS[name]
    with pytest.raises(Undecodable):
        decoded(decoder, encode(b"content") + b"and more")


def test_a_zstd_frame_that_asks_for_a_larger_window_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 24}
    compressor = zstd.ZstdCompressor(options=options)
    encoded = compressor.compress(bytes(1000)) + compressor.flush()
    assert decoded(partial(unzstd, max_window=16 << 20), encoded) == bytes(1000)
    with pytest.raises(Undecodable, match="too much memory"):
        decoded(partial(unzstd, max_window=(16 << 20) - 1), encoded)


def test_a_damaged_gzip_checksum_is_refused() -> None:
    encoded = bytearray(gzip.compress(b"content"))
    encoded[-6] ^= 1
    with pytest.raises(Undecodable, match="damaged"):
        decoded(gunzip, bytes(encoded))


@pytest.mark.parametrize(
    ("decoder", "modules"),
    [(unbrotli, ["brotli"]), (ENCODINGS["zstd"][1], ["backports", "backports.zstd"])],
)
def test_a_decoder_that_is_not_installed_names_its_extra(
    decoder: Decoder, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (*modules, "compression"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing) as caught:
        decoded(decoder, b"any")
    assert "atectl[encodings]" in caught.value.remedy
    assert caught.value.exit_status == 125
