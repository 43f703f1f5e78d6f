"""WebAssembly binaries put together by hand, where a text form cannot say what is wanted."""

import random

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


def mutated(source: random.Random, binary: bytes) -> bytes:
    """`binary` with a few bytes changed, removed or doubled, or cut off."""
    content = bytearray(binary)
    for _ in range(source.randint(1, 5)):
        at = source.randrange(min(len(content), source.choice((100, 1 << 30))))
        match source.randrange(5):
            case 0:
                content[at] ^= 1 << source.randrange(8)
            case 1:
                content[at] = source.choice((0x00, 0x7F, 0x80, 0xFF))
            case 2:
                del content[at : at + source.randint(1, 8)]
            case 3:
                content[at:at] = content[at : at + source.randint(1, 30)]
            case _:
                del content[max(at, 8) :]
        content = content or bytearray(b"\0")
    return bytes(content)
