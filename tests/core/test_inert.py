"""Whatever a guest, a lock holder or a file name contains, a terminal does nothing but show it."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.inert import NO_COLOURS, InertStream, ScreenStream, inert_line, inert_text

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))

REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

HOSTILE = st.text(
    st.sampled_from("\x1b\x07\x9b\x00\x7f\r\n\t\u202e\u2028\ufeff\udc9b\ud800[]31mA;é\\")
    | st.characters()
)


def is_acted_upon(character: str) -> bool:
    """Whether a terminal does something else than to put a glyph into the next cells."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in REORDERING
        or character in "\u200b\u200c\u200d\u200e\u200f\u061c\u2060\ufeff"
    )


class TestEveryCharacter:
    def test_a_line_has_nothing_that_is_acted_upon(self) -> None:
        assert not any(map(is_acted_upon, inert_line(EVERY_CHARACTER)))

    def test_a_text_has_only_its_tabs_and_line_ends(self) -> None:
        left = {character for character in inert_text(EVERY_CHARACTER) if is_acted_upon(character)}
        assert left == {"\t", "\n"}

    def test_a_stream_of_bytes_has_only_its_tabs_and_line_ends(self) -> None:
        data = EVERY_CHARACTER.encode("utf-8", "surrogatepass") + bytes(range(256)) * 2
        shown = InertStream().feed(data, final=True)
        assert {character for character in shown if is_acted_upon(character)} == {"\t", "\n"}

    def test_what_is_printable_for_python_is_left_alone_beside_what_is_not(self) -> None:
        printable = "".join(filter(str.isprintable, EVERY_CHARACTER))
        assert inert_line("\t" + printable) == "\\t" + printable

    def test_letters_of_every_script_stay(self) -> None:
        letters = "".join(c for c in EVERY_CHARACTER if unicodedata.category(c)[0] in "LNSP")
        assert inert_line(letters) == letters


class TestExamples:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b[31mred", "\\x1b[31mred"),
            ("\x9b31m", "\\x9b31m"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("a\rb", "a\\rb"),
            ("a\r\nb", "a\\r\\nb"),
            ("a\tb\nc", "a\\tb\\nc"),
            ("gpj.\u202eexe", "gpj.\\u202eexe"),
            ("\U000e0041", "\\U000e0041"),
            ("caf\udce9", "caf\\xe9"),
            ("läger ✓", "läger ✓"),
        ],
    )
    def test_a_line(self, text: str, shown: str) -> None:
        assert inert_line(text) == shown

    @pytest.mark.parametrize(
        ("text", "shown"),
        [("a\tb\nc", "a\tb\nc"), ("a\r\nb", "a\nb"), ("a\rb", "a\\rb"), ("\x1b[2J", "\\x1b[2J")],
    )
    def test_a_text(self, text: str, shown: str) -> None:
        assert inert_text(text) == shown


class TestLaws:
    @given(HOSTILE)
    def test_inert_text_stays_as_it_is(self, text: str) -> None:
        assert inert_line(inert_line(text)) == inert_line(text)
        assert inert_text(inert_text(text)) == inert_text(text)

    @given(HOSTILE)
    def test_nothing_is_left_out(self, text: str) -> None:
        harmless = "".join(c for c in text if not is_acted_upon(c) and c.isprintable())
        shown = iter(inert_line(text))
        assert all(character in shown for character in harmless)

    @given(st.data(), HOSTILE.map(lambda text: text.encode("utf-8", "replace")) | st.binary())
    def test_it_does_not_matter_where_a_stream_is_cut(
        self, data: st.DataObject, content: bytes
    ) -> None:
        cuts = data.draw(st.lists(st.integers(0, len(content))).map(sorted))
        stream = InertStream()
        pieces = [
            stream.feed(content[start:end])
            for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)
        ]
        assert "".join([*pieces, stream.feed(b"", final=True)]) == InertStream().feed(
            content, final=True
        )

    @given(st.text(st.sampled_from("ab\r\n\té✓\x1b"), max_size=30))
    def test_a_stream_shows_what_the_whole_text_would(self, text: str) -> None:
        assert InertStream().feed(text.encode(), final=True) == inert_text(text)


class TestStream:
    def test_output_is_not_held_back(self) -> None:
        assert InertStream().feed(b"prompt> ") == "prompt> "

    def test_a_character_that_was_cut_is_put_together(self) -> None:
        stream = InertStream()
        assert [stream.feed(bytes([byte])) for byte in "✓".encode()] == ["", "", "✓"]

    def test_a_line_end_that_was_cut_is_put_together(self) -> None:
        stream = InertStream()
        assert [stream.feed(b"a\r"), stream.feed(b"\nb")] == ["a", "\nb"]

    def test_what_is_unfinished_at_the_end_is_shown(self) -> None:
        assert InertStream().feed(b"a\xe2\x9c", final=True) == "a\\xe2\\x9c"
        assert InertStream().feed(b"a\r", final=True) == "a\\r"


def on_screen(text: str) -> str:
    return ScreenStream().feed(text.encode("utf-8", "surrogateescape"), final=True)


class TestScreen:
    """What a guest writes to a terminal: its colours and progress bars work, and no more does."""

    @pytest.mark.parametrize(
        "text",
        [
            "plain\n", "\r10%\r20%\n", "\x1b[31mred\x1b[0m\n", "\x1b[1;38;5;208mbold\x1b[m\n",
            "\x1b[38;2;8;5;6mx\x1b[0m", "\x1b[4:3mx\x1b[0m",
        ],
    )  # fmt: skip
    def test_colours_and_carriage_returns_are_passed_on(self, text: str) -> None:
        assert on_screen(text) == text

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b[2J", "\\x1b[2J"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\x1b[8mhidden", "\\x1b[8mhidden"),
            ("\x1b[1;5mblink", "\\x1b[1;5mblink"),
            ("\x1b[38;5;1;8mx", "\\x1b[38;5;1;8mx"),
            ("\x9b31m", "\\x9b31m"),
            ("\x1b[?25l", "\\x1b[?25l"),
            ("\x1b[31\x1b[mx", "\\x1b[31\x1b[mx"),
            ("\x1b[", "\\x1b["),
            ("\x1b[" + "1;" * 50 + "m", "\\x1b[" + "1;" * 50 + "m"),
            ("\b\x7f\u202e", "\\x08\\x7f\\u202e"),
        ],
    )
    def test_all_else_is_inert(self, text: str, shown: str) -> None:
        assert on_screen(text) == shown

    def test_colours_end_with_their_line_and_with_the_output(self) -> None:
        assert on_screen("\x1b[31mred\r\nplain\n") == f"\x1b[31mred{NO_COLOURS}\nplain\n"
        assert on_screen("\x1b[31mred") == f"\x1b[31mred{NO_COLOURS}"

    def test_it_knows_the_colours_that_are_set(self) -> None:
        stream = ScreenStream()
        stream.feed(b"\x1b[31m\x1b[1mx")
        assert stream.colours == "\x1b[31m\x1b[1m"
        stream.feed(b"\x1b[0m")
        assert stream.colours == ""

    @given(st.text(st.sampled_from("a\r\n\x1b[;:0158mJ]\u202e\x9b"), max_size=40))
    def test_a_terminal_is_told_of_colours_and_of_nothing_else(self, text: str) -> None:
        left = re.sub(r"\x1b\[[0-9;:]*m", "", on_screen(text)).replace("\r", "")
        assert not any(is_acted_upon(character) for character in left if character != "\n")

    @given(st.data(), st.text(st.sampled_from("a\r\n\x1b[;0158m✓"), max_size=40))
    def test_it_does_not_matter_where_it_is_cut(self, data: st.DataObject, text: str) -> None:
        content = text.encode()
        cuts = data.draw(st.lists(st.integers(0, len(content))).map(sorted))
        stream = ScreenStream()
        pieces = [
            stream.feed(content[start:end])
            for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)
        ]
        assert "".join([*pieces, stream.feed(b"", final=True)]) == on_screen(text)
