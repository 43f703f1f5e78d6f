"""Records are read as they were written, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule.records import decode, encode, escape, unescape

values = st.text().map(escape)
records = st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True), values, max_size=5)


@given(records)
def test_a_record_is_read_as_it_was_written(record: dict[str, str]) -> None:
    assert decode(encode(record)) == record


@given(st.text())
def test_any_text_fits_on_a_line_and_comes_back(text: str) -> None:
    line = escape(text)
    assert "\n" not in line
    assert "\0" not in line
    assert unescape(line) == text


@given(records, st.integers(0), st.integers(1, 255))
def test_a_damaged_record_is_none(record: dict[str, str], place: int, change: int) -> None:
    content = bytearray(encode(record))
    content[place % len(content)] ^= change
    assert decode(bytes(content)) is None


@given(records, st.integers(1))
def test_a_cut_record_is_none(record: dict[str, str], missing: int) -> None:
    content = encode(record)
    assert decode(content[: max(len(content) - missing, 0)]) is None
