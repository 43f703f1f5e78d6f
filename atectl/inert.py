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


def _visible(match: re.Match[str]) -> str:
    point = ord(match[0])
    if 0xDC80 <= point <= 0xDCFF:  # a byte that was not UTF-8, carried by surrogateescape
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x100:
        return {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}.get(point, f"\\x{point:02x}")
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def inert_line(text: str) -> str:
    """`text` on one line: tabs and newlines are made visible too."""
    return text if text.isprintable() else _in_line().sub(_visible, text)


def inert_text(text: str) -> str:
    """`text` with its tabs and line ends; `\\r\\n` counts as a line end."""
    return _in_output().sub(_visible, text.replace("\r\n", "\n"))


class InertStream:
    """Bytes of a guest's output as they come, made inert; characters may be cut anywhere."""

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
