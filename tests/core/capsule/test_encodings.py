"""Capsules as they arrive: which encodings lie over them, and what decoding them may come to."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import sys
import zlib
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import wat2wasm

from atectl.capsule.encodings import HARMLESS_BYTES, MAX_DEPTH, Decoded, decode
from atectl.capsule.errors import CapsuleTooLarge, DecodingOverBound, ExtraMissing, Undecodable
from atectl.errors import AtectlError, NotWebAssembly
from tests.support.python_child import in_child

CAPSULES = Path(__file__).resolve().parents[3] / "fixtures" / "capsules"
BINARY = bytes(wat2wasm((CAPSULES / "hello.wat").read_text()))
TEXT = (CAPSULES / "hello.wat").read_bytes()
MIB = 1 << 20


def as_spec(text: bytes) -> bytes:
    return json.dumps({"Workflow": text.decode(), "WorkflowName": "prices"}).encode()


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "brotli": partial(brotli.compress, quality=5),
    "hex": lambda content: content.hex().encode(),
    "base64": base64.b64encode,
    "spec": as_spec,
}


def encoded(content: bytes, *encodings: str) -> bytes:
    """`content` under these encodings, the outermost first."""
    return reduce(lambda inner, name: ENCODE[name](inner), reversed(encodings), content)


def decoded(content: bytes, name: str = "capsule", **bounds: int) -> Decoded:
    return decode(io.BytesIO(content), name=name, **bounds)


# What is recognised


@pytest.mark.parametrize("content", [BINARY, TEXT], ids=["binary", "text"])
def test_a_capsule_as_it_stands_has_no_encoding(content: bytes) -> None:
    expected = Decoded(content, (), len(content), hashlib.sha256(content).hexdigest())
    assert decoded(content) == expected


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "brotli", "hex", "base64"])
def test_each_encoding_of_a_binary_is_recognised_by_its_content(encoding: str) -> None:
    file = encoded(BINARY, encoding)
    expected = Decoded(BINARY, (encoding,), len(file), hashlib.sha256(file).hexdigest())
    assert decoded(file) == expected


@pytest.mark.parametrize(
    "encodings",
    [
        ("hex", "brotli"),
        ("base64", "brotli"),
        ("base64", "gzip"),
        ("hex", "hex"),
        ("base64", "hex", "zstd"),
        ("spec", "hex", "brotli"),
        ("spec", "base64", "brotli"),
        ("gzip", "spec", "hex", "brotli"),
        ("spec", "hex"),
    ],
    ids="-".join,
)
def test_encodings_over_one_another_are_taken_off_the_outermost_first(
    encodings: tuple[str, ...],
) -> None:
    found = decoded(encoded(BINARY, *encodings))
    assert found.encodings == encodings
    assert found.content == BINARY


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "hex", "base64"])
def test_the_text_form_may_be_encoded_too(encoding: str) -> None:
    text = b"\n ;; a note\n(; and (; another ;) ;) (module)"
    plain = b"(module)"
    assert decoded(encoded(plain, encoding)).content == plain
    if encoding in ("gzip", "zstd"):
        assert decoded(encoded(text, encoding)).content == text


@pytest.mark.parametrize("name", ["hello.wat.br", "hello.BROTLI", "hello.br.b64"])
def test_by_its_name_anything_may_be_brotli(name: str) -> None:
    inner = ENCODE["brotli"](TEXT)
    file = base64.b64encode(inner) if name.endswith("b64") else inner
    assert decoded(file, name).content == TEXT
    assert decoded(file, "hello").content != TEXT


def test_in_a_spec_anything_may_be_brotli() -> None:
    assert decoded(encoded(TEXT, "spec", "hex", "brotli")).content == TEXT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"hello world\n",
        b"0123456789abcdef",
        b"cafe",
        b"an ordinary sentence of some length, as notes have it",
        b"\x89PNG\r\n\x1a\n",
        b"#!/bin/sh\nexit 0\n",
        b"\x7fELF\x02\x01",
        b"{not json}",
        bytes(100),
    ],
)
def test_what_is_no_encoded_capsule_is_left_as_it_is(content: bytes) -> None:
    found = decoded(content)
    assert (found.content, found.encodings) == (content, ())


def test_digits_over_something_unknown_are_left_as_they_are() -> None:
    content = random.Random(5).randbytes(300).hex().encode()
    assert decoded(content).encodings == ()


def test_json_without_a_binary_is_no_capsule() -> None:
    with pytest.raises(NotWebAssembly, match=r"package\.json is not WebAssembly: it is JSON"):
        decoded(b'{"name": "x", "version": "1.0.0"}', "package.json")


def test_a_file_of_several_specs_is_no_single_capsule() -> None:
    one = encoded(BINARY, "spec", "hex")
    with pytest.raises(Undecodable, match="several workflow specs"):
        decoded(one + b"\n" + one)


def test_what_is_damaged_names_the_file_and_the_encoding() -> None:
    with pytest.raises(Undecodable, match=r"cut\.gz: its gzip data ends too early"):
        decoded(gzip.compress(BINARY)[:-5], "cut.gz")


@given(st.binary(max_size=300), st.lists(st.sampled_from([*ENCODE]), max_size=3))
def test_any_bytes_are_decoded_left_or_refused(content: bytes, encodings: list[str]) -> None:
    try:
        file = encoded(content, *encodings)
    except UnicodeDecodeError:
        return
    try:
        found = decoded(file)
    except (Undecodable, DecodingOverBound, NotWebAssembly):
        return
    assert len(found.encodings) <= MAX_DEPTH


# What it may come to


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "brotli", "hex", "base64"])
def test_content_may_have_exactly_as_many_bytes_as_are_allowed(encoding: str) -> None:
    file = encoded(BINARY, encoding)
    assert decoded(file, max_bytes=len(BINARY)).content == BINARY
    with pytest.raises(DecodingOverBound, match="decodes to more than"):
        decoded(file, max_bytes=len(BINARY) - 1)


def test_a_larger_file_that_is_not_encoded_is_too_large() -> None:
    assert decoded(BINARY, max_bytes=len(BINARY)).content == BINARY
    with pytest.raises(CapsuleTooLarge, match="no larger capsule is accepted"):
        decoded(BINARY, max_bytes=len(BINARY) - 1)


def test_the_ratio_counts_from_a_size_on_at_which_it_can_do_harm() -> None:
    start = BINARY + b"\0" * (HARMLESS_BYTES - len(BINARY))
    assert len(decoded(gzip.compress(start), max_ratio=10).content) == HARMLESS_BYTES
    with pytest.raises(DecodingOverBound, match="more than 10 times its size"):
        decoded(gzip.compress(start + b"\0"), max_ratio=10)


def test_what_is_less_compressed_than_the_ratio_is_decoded() -> None:
    content = BINARY + random.Random(3).randbytes(HARMLESS_BYTES)
    assert decoded(gzip.compress(content, 1), max_ratio=2).content == content


@pytest.mark.parametrize("encoding", ["hex", "gzip"])
def test_as_many_encodings_as_are_allowed_may_lie_over_one_another(encoding: str) -> None:
    assert decoded(encoded(BINARY, *[encoding] * MAX_DEPTH)).content == BINARY
    with pytest.raises(DecodingOverBound, match="encoded more than 4 times over"):
        decoded(encoded(BINARY, *[encoding] * (MAX_DEPTH + 1)))


def test_what_lies_between_two_encodings_is_bounded_too() -> None:
    blank_lines = encoded(BINARY, "hex") + b"\n" * (5 * MIB)
    with pytest.raises(DecodingOverBound, match="decodes to more than 1MiB"):
        decoded(gzip.compress(blank_lines), max_bytes=MIB)


class Endless:
    """A file that never ends."""

    def __init__(self, start: bytes) -> None:
        self._start = start

    def read(self, size: int, /) -> bytes:
        start, self._start = self._start, b""
        return start or b" " * size


@pytest.mark.parametrize("start", [b"\0asm\x01\0\0\0", b'{"workflow": ', b"30" * 40_000])
def test_a_file_without_end_is_left_at_the_bound(start: bytes) -> None:
    with pytest.raises(AtectlError) as caught:
        decode(Endless(start), name="endless", max_bytes=MIB)
    assert caught.value.exit_status == 126


def test_zstd_may_keep_a_quarter_of_what_is_allowed_and_no_more() -> None:
    def compressed(window_log: int) -> bytes:
        compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
        return compressor.compress(BINARY) + compressor.flush()

    assert decoded(compressed(26), max_bytes=256 * MIB).content == BINARY
    with pytest.raises(Undecodable, match="too much memory"):
        decoded(compressed(27), max_bytes=256 * MIB)
    assert decoded(compressed(23), max_bytes=MIB).content == BINARY


# What is not installed


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (encoded(BINARY, "hex", "brotli"), "capsule"),
        (encoded(BINARY, "base64", "brotli"), "capsule"),
        (encoded(BINARY, "brotli"), "capsule.wasm.br"),
        (encoded(BINARY, "spec", "hex", "brotli"), "spec.json"),
        (encoded(BINARY, "zstd"), "capsule.zst"),
    ],
)
def test_without_its_package_an_encoded_capsule_names_the_extra(
    file: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("brotli", "backports", "backports.zstd", "compression"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=f"{name}: decoding (brotli|zstd) needs a package"):
        decoded(file, name)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n", b"a note of a few words"])
def test_without_its_package_what_is_no_capsule_is_left_as_it_is(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert decoded(content).encodings == ()


def test_a_capsule_as_it_stands_imports_no_decoder() -> None:
    imported = in_child(
        "import io, sys\n"
        "from atectl.capsule.encodings import decode\n"
        "decode(io.BytesIO(b'\\0asm\\1\\0\\0\\0'), name='capsule')\n"
        "print({'brotli', 'backports.zstd', 'wasmtime'} & set(sys.modules))"
    )
    assert imported == "set()\n"


# What it keeps in memory

_PEAK_OF_DECODING = """
import sys
from atectl.capsule.encodings import decode
from atectl.errors import AtectlError
import backports.zstd, brotli
def peak_kib():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])
with open(sys.argv[1], "rb") as file:
    before = peak_kib()
    try:
        decode(file, name="capsule", max_bytes=int(sys.argv[2]))
    except AtectlError as error:
        print(error.code, end=" ")
    print(peak_kib() - before)
"""


def peak_of_decoding(file: bytes, folder: Path, max_bytes: int = 256 * MIB) -> tuple[str, int]:
    """The error's code, if any, and what decoding adds to the peak of resident bytes."""
    path = folder / "capsule"
    path.write_bytes(file)
    source = f"import sys; sys.argv[1:] = [{str(path)!r}, '{max_bytes}']\n{_PEAK_OF_DECODING}"
    *code, peak = in_child(source).split()
    return "".join(code), int(peak) * 1024


LARGE = BINARY + os.urandom(48 * MIB)


@pytest.mark.parametrize("encodings", [(), ("gzip",), ("hex", "brotli"), ("spec", "base64")])
def test_the_encoded_and_the_decoded_form_are_never_held_together(
    encodings: tuple[str, ...], tmp_path: Path
) -> None:
    fast = {
        "gzip": partial(gzip.compress, compresslevel=1),
        "brotli": partial(brotli.compress, quality=0),
    }
    file = reduce(lambda inner, name: {**ENCODE, **fast}[name](inner), reversed(encodings), LARGE)
    code, peak = peak_of_decoding(file, tmp_path)
    assert code == ""
    assert 40 * MIB < peak < 48 * MIB * 9 // 8 + 10 * MIB


def zeros(encoding: str, size: int) -> bytes:
    """A binary's header and `size` zeros, encoded."""
    match encoding:
        case "gzip":
            compressor = zlib.compressobj(9, wbits=31)
            finish = compressor.flush
            add = compressor.compress
        case "zstd":
            zstd_compressor = zstd.ZstdCompressor()
            add, finish = zstd_compressor.compress, zstd_compressor.flush
        case _:
            brotli_compressor = brotli.Compressor(quality=3)
            add, finish = brotli_compressor.process, brotli_compressor.finish
    parts = [add(b"\0asm\x01\0\0\0"), *(add(bytes(MIB)) for _ in range(size // MIB)), finish()]
    return b"".join(parts)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "brotli"])
def test_a_bomb_is_refused_before_it_takes_memory(encoding: str, tmp_path: Path) -> None:
    file = zeros(encoding, 512 * MIB)
    assert len(file) < MIB
    code, peak = peak_of_decoding(file, tmp_path)
    assert code == "E221"
    assert peak < HARMLESS_BYTES * 9 // 8 + 20 * MIB


def test_a_bomb_of_a_modest_ratio_is_refused_at_the_bound(tmp_path: Path) -> None:
    noise = os.urandom(MIB)
    file = b"".join(gzip.compress(b"\0asm" + noise, 1) for _ in range(100))
    code, peak = peak_of_decoding(file, tmp_path, max_bytes=64 * MIB)
    assert code == "E221"
    assert peak < 64 * MIB * 9 // 8 + 10 * MIB
