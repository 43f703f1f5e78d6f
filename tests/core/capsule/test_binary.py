"""The reader of binaries: numbers, names and lists, and never beyond its bytes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule import binary
from atectl.capsule.binary import (
    MAX_NAME_BYTES,
    EndOfBinary,
    MalformedBinary,
    Reader,
    TooManyItems,
    kind_of,
)
from tests.support.wasm_bytes import leb, name


def over(data: bytes) -> Reader:
    return Reader(data, 0, len(data))


def signed(number: int) -> bytes:
    encoded = b""
    while True:
        low, number = number & 0x7F, number >> 7
        if number == -(low >> 6):
            return encoded + bytes([low])
        encoded += bytes([low | 0x80])


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    reader = over(leb(number) + b"\x55")
    assert reader.number() == number
    assert reader.byte() == 0x55


@given(st.integers(0, 2**64 - 1))
def test_a_long_number_is_read_as_it_was_written(number: int) -> None:
    assert over(leb(number)).long_number() == number


@given(st.integers(-(2**32), 2**32 - 1))
def test_a_signed_number_is_read_as_it_was_written(number: int) -> None:
    assert over(signed(number)).signed_number() == number


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"\xff\xff\xff\xff\x1f", Reader.number),
        (b"\x80\x80\x80\x80\x80\x00", Reader.number),
        (b"\xff" * 9 + b"\x03", Reader.long_number),
        (b"\x80" * 10 + b"\x00", Reader.long_number),
        (b"\x80" * 5 + b"\x00", Reader.signed_number),
    ],
)
def test_a_number_that_is_too_large_or_too_long_is_malformed(
    data: bytes, read: Callable[[Reader], Any]
) -> None:
    with pytest.raises(MalformedBinary, match=r"too (large|long) at offset"):
        read(over(data))


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"", Reader.byte),
        (b"\x80", Reader.number),
        (b"\x80", Reader.signed_number),
        (b"\x05abcd", Reader.name),
        (b"\0asm\x01\0\0", Reader.header),
        (b"", lambda reader: reader.skip(1)),
        (b"ab", lambda reader: reader.take(3)),
        (b"\x01\x05abcd", Reader.section),
    ],
)
def test_what_lies_beyond_the_end_is_never_read(data: bytes, read: Callable[[Reader], Any]) -> None:
    with pytest.raises(EndOfBinary):
        read(Reader(data + b"\x00" * 100, 0, len(data)))


def test_the_next_byte_can_be_looked_at_and_at_the_end_is_none() -> None:
    reader = over(b"\x07")
    assert (reader.peek(), reader.byte(), reader.peek()) == (7, 7, -1)


def test_a_part_is_passed_over_and_read_by_itself() -> None:
    reader = over(b"abcdef")
    part = reader.take(3)
    assert (part.rest(), reader.rest()) == (b"abc", b"def")


def test_a_name_that_is_not_utf_8_is_kept_as_it_is() -> None:
    assert over(name("é\udcff")).name() == "é\udcff"


def test_of_a_long_name_the_beginning_is_kept_and_all_is_passed() -> None:
    reader = over(name("x" * 5000) + b"\x07")
    assert reader.name() == "x" * MAX_NAME_BYTES
    assert reader.byte() == 7


def test_items_are_counted_over_all_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "MAX_ITEMS", 10)
    reader = over(leb(4) + leb(6) + leb(1))
    assert list(reader.entries()) == [0, 1, 2, 3]
    assert len(list(reader.at(1).entries())) == 6
    with pytest.raises(TooManyItems, match="more than 10 sections and entries"):
        list(reader.at(2).entries())


@pytest.mark.parametrize(
    ("header", "kind"),
    [(b"\0asm\x01\0\0\0", "module"), (b"\0asm\x0d\0\x01\0", "component")],
)
def test_the_header_tells_the_kind(header: bytes, kind: str) -> None:
    assert kind_of(header) == kind


@pytest.mark.parametrize("header", [b"\0asm\x02\0\0\0", b"\0asm", b"wasm\x01\0\0\0", b""])
def test_another_header_is_malformed(header: bytes) -> None:
    with pytest.raises(MalformedBinary, match="unknown binary version"):
        kind_of(header)
