"""Text from guests, lock holders and file names, made harmless to a terminal.

Whatever could move the cursor, change colours, set a title, ring, or reorder what is read is
written out as an escape (`\\x1b`, `\\u202e`); everything else stays as it is.
"""

import codecs
import re
from functools import cache

_ACTIVE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and newline
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)


# The patterns take a millisecond to compile, and most texts have nothing to look for.
@cache
def _in_output() -> re.Pattern[str]:
    return re.compile(f"[{_ACTIVE}]")


@cache
def _in_line() -> re.Pattern[str]:
    return re.compile(f"[\t\n{_ACTIVE}]")


@cache
def _not_utf8() -> re.Pattern[str]:
    return re.compile("[\ud800-\udfff]")


def _visible(match: re.Match[str]) -> str:
    point = ord(match[0])
    if 0xDC80 <= point <= 0xDCFF:  # a byte that was not UTF-8, carried by surrogateescape
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x100:
        return {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}.get(point, f"\\x{point:02x}")
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def utf8_text(text: str) -> str:
    """`text` as UTF-8 can carry it: bytes that are not UTF-8 are spelled out, all else stays."""
    return text if text.isascii() else _not_utf8().sub(_visible, text)


def inert_line(text: str) -> str:
    """`text` on one line: tabs and newlines are made visible too."""
    return text if text.isprintable() else _in_line().sub(_visible, text)


def inert_text(text: str) -> str:
    """`text` with its tabs and line ends; `\\r\\n` counts as a line end."""
    return _in_output().sub(_visible, text.replace("\r\n", "\n"))


class InertStream:
    """Bytes of a guest's output as they come, made inert; characters may be cut anywhere."""

    colours = ""
    """It passes none on."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held_return = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The inert text of `data`, but for an unfinished character or line end at its end."""
        text = self._held_return + self._decoder.decode(data, final)
        self._held_return = ""
        if text.endswith("\r") and not final:
            text, self._held_return = text[:-1], "\r"
        return inert_text(text)


class ScreenStream:
    """Bytes of a guest's output as they come, for a terminal: colours and progress bars work.

    A carriage return within a line and what sets colours (SGR) are passed on; all else is made
    inert. Colours are reset at each line end, and at the end.

    Attributes:
        colours: what has set the colours since they were last reset; empty if nothing has.
    """

    def __init__(self) -> None:
        self.colours = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The text of `data` for a terminal, but for what is unfinished at its end."""
        text = self._held + self._decoder.decode(data, final)
        self._held = ""
        if not final and (unfinished := _unfinished().search(text)) is not None:
            text, self._held = text[: unfinished.start()], unfinished[0]
        shown = _in_screen().sub(self._shown, text)
        return shown + self._reset() if final else shown

    def _shown(self, match: re.Match[str]) -> str:
        found = match[0]
        if found.endswith("\n"):
            return f"{self._reset()}\n"
        if found == "\r":
            return found
        if len(found) == 1:
            return _visible(match)
        if not _is_harmless(found[2:-1]):
            return f"\\x1b{found[1:]}"
        is_reset = found[2:-1].strip("0") == ""
        # Of very many the first are forgotten, whole ones: few set as many without a line end.
        kept = self.colours if len(self.colours) < _MOST_COLOURS else ""
        self.colours = "" if is_reset else kept + found
        return found

    def _reset(self) -> str:
        coloured, self.colours = self.colours, ""
        return NO_COLOURS if coloured else ""


NO_COLOURS = "\x1b[0m"
_MOST_COLOURS = 256
_CONCEALING = frozenset({5, 6, 8})
"""Blinking, and text that is not to be seen."""

_MORE_PARAMETERS = {2: 3, 5: 1}
"""How many follow these behind 38, 48 and 58: a colour by its parts, or by its number."""


@cache
def _in_screen() -> re.Pattern[str]:
    return re.compile(f"\x1b\\[[0-9;:]{{0,40}}m|\r?\n|[{_ACTIVE}]")


@cache
def _unfinished() -> re.Pattern[str]:
    return re.compile("(?:\r|\x1b(?:\\[[0-9;:]{0,40})?)\\Z")


def _is_harmless(parameters: str) -> bool:
    """Whether what sets colours does no more than that."""
    left = iter(parameters.replace(":", ";").split(";"))
    for each in left:
        number = int(each or 0)
        if number in _CONCEALING:
            return False
        if number in (38, 48, 58):
            kind = int(next(left, "") or 0)
            for _ in range(_MORE_PARAMETERS.get(kind, 0)):
                next(left, "")
    return True
