"""Keys from the bytes that terminals send for them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.terminal.keys import KeyDecoder

SENT = {
    "up": [b"\x1b[A", b"\x1bOA"],
    "down": [b"\x1b[B", b"\x1bOB"],
    "page-up": [b"\x1b[5~"],
    "page-down": [b"\x1b[6~"],
    "home": [b"\x1b[H", b"\x1bOH", b"\x1b[1~", b"\x1b[7~"],
    "end": [b"\x1b[F", b"\x1bOF", b"\x1b[4~", b"\x1b[8~"],
    "tab": [b"\t"],
    "enter": [b"\r", b"\n"],
    "backspace": [b"\x7f", b"\x08"],
    "ctrl-u": [b"\x15"],
    "q": [b"q"],
    "/": [b"/"],
    " ": [b" "],
}
PAIRS = [(name, data) for name, sent in SENT.items() for data in sent]


@pytest.mark.parametrize(("name", "data"), PAIRS)
def test_each_key_has_its_name(name: str, data: bytes) -> None:
    assert KeyDecoder().feed(data) == [name]


@given(st.lists(st.sampled_from(PAIRS)), st.lists(st.integers(0, 60)))
def test_keys_may_come_cut_anywhere(pairs: list[tuple[str, bytes]], cuts: list[int]) -> None:
    data = b"".join(data for _, data in pairs)
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    decoder = KeyDecoder()
    keys = []
    for begin, end in pairwise(places):
        keys += decoder.feed(data[begin:end])
    assert keys == [name for name, _ in pairs]
    assert not decoder.is_waiting


def test_a_lone_escape_is_a_key_once_nothing_follows() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.is_waiting
    assert decoder.flush() == ["esc"]
    assert not decoder.is_waiting


def test_escape_before_another_key_is_a_key() -> None:
    assert KeyDecoder().feed(b"\x1bq") == ["esc", "q"]
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b\x1b[A") == ["esc", "up"]


def test_a_sequence_cut_off_for_good_is_no_key() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[1;") == []
    assert decoder.flush() == []
    assert decoder.feed(b"q") == ["q"]


@pytest.mark.parametrize("data", [b"\x1b[15~", b"\x1b[1;5C", b"\x1b[200~", "é".encode(), b"\x00"])
def test_keys_without_a_name_are_dropped_whole(data: bytes) -> None:
    assert KeyDecoder().feed(data + b"q") == ["q"]


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    decoder = KeyDecoder()
    for key in (*decoder.feed(data), *decoder.flush()):
        assert key in SENT or key == "esc" or (len(key) == 1 and key.isprintable())
