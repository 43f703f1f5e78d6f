"""Sizes and durations: what is read, what is refused, and that what is written is read back."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.errors import BadDuration, BadSize
from atectl.units import (
    MAX_DURATION_S,
    MAX_SIZE_BYTES,
    counted,
    duration_text,
    format_age,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    rfc3339,
    show_percent,
    show_size,
)


class TestParseSize:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1", 1),
            ("65536", 65536),
            ("512B", 512),
            ("64K", 64 << 10),
            ("64KiB", 64 << 10),
            ("64KB", 64_000),
            ("64M", 64 << 20),
            ("64Mi", 64 << 20),
            ("64MiB", 64 << 20),
            ("64MB", 64_000_000),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
            ("1P", 1 << 50),
            ("7E", 7 << 60),
            ("64mib", 64 << 20),
            ("64mb", 64_000_000),
            ("  64 MiB ", 64 << 20),
            ("1.5KiB", 1536),
            ("0.5K", 512),
            ("0.001KB", 1),
            (str(MAX_SIZE_BYTES), MAX_SIZE_BYTES),
        ],
    )
    def test_takes_binary_decimal_and_plain_bytes(self, text: str, size: int) -> None:
        assert parse_size(text) == size

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is not a size"),
            ("MiB", "is not a size"),
            ("64XB", "is not a size"),
            ("64 MiB x", "is not a size"),
            ("6 4", "is not a size"),
            ("-1", "is not a size"),
            ("+1", "is not a size"),
            ("1e6", "is not a size"),
            ("0x10", "is not a size"),
            ("1_000", "is not a size"),
            (".5K", "is not a size"),
            ("5.K", "is not a size"),
            ("inf", "is not a size"),
            ("nan", "is not a size"),
            ("٦٤", "is not a size"),
            ("64\u212ai", "is not a size"),  # the kelvin sign folds to k
            ("64MiB\0", "is not a size"),
            ("9" * 5000, "is not a size"),
            (f"0.{'0' * 5000}1", "is not a size"),
            ("0", "is zero"),
            ("0MiB", "is zero"),
            ("0.0K", "is zero"),
            ("0.3B", "is not a whole number of bytes"),
            ("0.3", "is not a whole number of bytes"),
            ("1.0001K", "is not a whole number of bytes"),
            (str(MAX_SIZE_BYTES + 1), "is too large"),
            ("8E", "is too large"),
            ("9" * 40 + "E", "is too large"),
        ],
    )
    def test_refuses_the_rest_and_says_why(self, text: str, reason: str) -> None:
        with pytest.raises(BadSize, match=reason):
            parse_size(text)

    @given(st.text(max_size=12) | st.text("0123456789.KMGTPEib ", max_size=12))
    def test_every_text_is_a_size_or_a_named_error(self, text: str) -> None:
        try:
            size = parse_size(text)
        except BadSize:
            return
        assert 1 <= size <= MAX_SIZE_BYTES


class TestFormatSize:
    @given(
        st.integers(1, MAX_SIZE_BYTES)
        | st.builds(lambda n, shift: n << shift, st.integers(1, 7), st.integers(0, 60))
    )
    def test_what_is_written_is_read_back(self, size: int) -> None:
        assert parse_size(format_size(size)) == size

    @pytest.mark.parametrize(
        ("size", "text"),
        [(0, "0"), (1, "1"), (1023, "1023"), (1024, "1KiB"), (64 << 20, "64MiB"), (1536, "1536")],
    )
    def test_the_largest_unit_that_divides_it(self, size: int, text: str) -> None:
        assert format_size(size) == text


class TestShowSize:
    @pytest.mark.parametrize(
        ("size", "text"),
        [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (1234567, "1.18 MiB"),
            (64 << 20, "64 MiB"),
            (100 << 20, "100 MiB"),
            (1023 << 10, "1 MiB"),
            (1300000000, "1.21 GiB"),
            (MAX_SIZE_BYTES, "8 EiB"),
            (1 << 73, "8192 EiB"),
        ],
    )
    def test_three_digits_and_a_unit(self, size: int, text: str) -> None:
        assert show_size(size) == text

    @given(st.integers(1024, MAX_SIZE_BYTES))
    def test_is_right_to_half_a_percent(self, size: int) -> None:
        number, unit = show_size(size).split()
        meant = float(number) * 1024 ** " KMGTPE".index(unit[0])
        assert meant == pytest.approx(size, rel=0.005)
        assert len(number.replace(".", "")) <= 3


class TestParseDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("1ms", 0.001),
            ("250ms", 0.25),
            ("90s", 90.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("2d", 172_800.0),
            ("1.5h", 5400.0),
            ("30", 30.0),
            ("0.25", 0.25),
            (" 5m ", 300.0),
            ("3650d", float(MAX_DURATION_S)),
        ],
    )
    def test_takes_units_sums_and_plain_seconds(self, text: str, seconds: float) -> None:
        assert parse_duration(text) == pytest.approx(seconds)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is not a duration"),
            ("soon", "is not a duration"),
            ("5 m", "is not a duration"),
            ("5M", "is not a duration"),
            ("5m3", "is not a duration"),
            ("m5", "is not a duration"),
            ("-5s", "is not a duration"),
            ("1e3", "is not a duration"),
            ("inf", "is not a duration"),
            ("nan", "is not a duration"),
            ("٥m", "is not a duration"),
            ("0", "is zero"),
            ("0s", "is zero"),
            ("0h0m", "is zero"),
            ("0.1ms", "is too short"),
            ("0.0001", "is too short"),
            ("3651d", "is too long"),
            ("9" * 5000, "is too long"),
            ("9" * 5000 + "d", "is too long"),
        ],
    )
    def test_refuses_the_rest_and_says_why(self, text: str, reason: str) -> None:
        with pytest.raises(BadDuration, match=reason):
            parse_duration(text)

    @given(st.text(max_size=12) | st.text("0123456789.smhd ", max_size=12))
    def test_every_text_is_a_duration_or_a_named_error(self, text: str) -> None:
        try:
            seconds = parse_duration(text)
        except BadDuration:
            return
        assert 0.001 <= seconds <= MAX_DURATION_S


class TestDurationText:
    @given(st.integers(1, MAX_DURATION_S * 1000))
    def test_what_is_written_is_read_back(self, milliseconds: int) -> None:
        text = duration_text(milliseconds / 1000)
        assert round(parse_duration(text) * 1000) == milliseconds

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (300.0, "5m"),
            (30.0, "30s"),
            (90.0, "90s"),
            (0.25, "250ms"),
            (7200, "2h"),
            (86_400, "1d"),
        ],
    )
    def test_the_largest_unit_that_divides_it(self, seconds: float, text: str) -> None:
        assert duration_text(seconds) == text


class TestFormatDuration:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0.00s"),
            (0.244, "0.24s"),
            (9.994, "9.99s"),
            (9.996, "10.0s"),
            (12.34, "12.3s"),
            (59.94, "59.9s"),
            (59.96, "1m00s"),
            (245, "4m05s"),
            (3599.6, "1h00m"),
            (7620, "2h07m"),
            (86_399.7, "1d00h"),
            (273_600, "3d04h"),
        ],
    )
    def test_two_units_at_most(self, seconds: float, text: str) -> None:
        assert format_duration(seconds) == text

    @given(st.floats(0.001, MAX_DURATION_S))
    def test_what_is_written_is_read_back_to_five_percent(self, seconds: float) -> None:
        text = format_duration(seconds)
        if text != "0.00s":
            assert parse_duration(text) == pytest.approx(seconds, rel=0.05, abs=0.006)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 capsules"), (1, "1 capsule"), (2, "2 capsules")]
)
def test_what_is_counted_is_in_singular_and_plural(count: int, words: str) -> None:
    assert counted(count, "capsule") == words


class TestRfc3339:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1_764_201_600.0625, "2025-11-27T00:00:00.062Z"),
            (None, None),
        ],
    )
    def test_is_utc_to_the_millisecond(self, seconds: float | None, text: str | None) -> None:
        assert rfc3339(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3.2, "0s"), (0.7, "0s"), (12.34, "12s"), (59.9, "59s"), (75, "1m15s")]
)
def test_how_long_ago_something_was_is_told_in_whole_seconds(seconds: float, shown: str) -> None:
    assert format_age(seconds) == shown


@pytest.mark.parametrize("seconds", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_a_duration_that_is_none_is_a_question_mark(seconds: float) -> None:
    assert format_duration(seconds) == "?"


@pytest.mark.parametrize(
    ("used", "limit", "text"),
    [(0, 100, "0%"), (1, 1000, "<1%"), (999, 1000, "99%"), (1000, 1000, "100%"), (5, 0, "-")],
)
def test_a_percentage_says_100_only_when_all_is_used(used: int, limit: int, text: str) -> None:
    assert show_percent(used, limit) == text


@pytest.mark.parametrize("text", ["1" * 100_000, "1." * 50_000, "1h" * 51])
def test_what_is_longer_than_any_duration_is_refused_at_once(text: str) -> None:
    began_s = time.process_time()
    with pytest.raises(BadDuration, match="is too long"):
        parse_duration(text)
    assert time.process_time() - began_s < 3
