"""WebAssembly binaries put together by hand, where a text form cannot say what is wanted."""

from wasmtime import wat2wasm

from tests.conftest import CAPSULES

MODULE_HEADER = b"\0asm\x01\0\0\0"
COMPONENT_HEADER = b"\0asm\x0d\0\x01\0"


def binary_of(text: str) -> bytes:
    """The binary that a text form assembles to."""
    return bytes(wat2wasm(text))


def fixture(name: str) -> bytes:
    """The binary of a fixture."""
    return binary_of((CAPSULES / f"{name}.wat").read_text())


def leb(number: int) -> bytes:
    """An unsigned number."""
    encoded = b""
    while number >= 0x80:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def name(text: str) -> bytes:
    """A name."""
    encoded = text.encode("utf-8", "surrogateescape")
    return leb(len(encoded)) + encoded


def vector(*entries: bytes) -> bytes:
    """A list."""
    return leb(len(entries)) + b"".join(entries)


def section(number: int, contents: bytes) -> bytes:
    return bytes([number]) + leb(len(contents)) + contents


def custom(title: str, contents: bytes) -> bytes:
    return section(0, name(title) + contents)
