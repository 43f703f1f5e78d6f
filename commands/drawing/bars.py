"""The used share of a limit, as a bar and as a percentage."""

from rich.text import Text

from .tones import ALARM, FULL, NEAR, REST, ROOM, WARNING

_EIGHTHS = " ▏▎▍▌▋▊▉"


def usage_bar(
    used: int, limit: int, width: int, *, ascii_only: bool = False, style: str | None = None
) -> Text:
    """A bar of `width` columns. It is full only if all is used, and empty only if nothing is.

    Its steps are an eighth of a column, or a whole column with `ascii_only`. Its colour says how
    near the limit is, unless one is given.
    """
    parts = 1 if ascii_only else 8
    filled = _filled(used, limit, width * parts)
    whole, eighths = divmod(filled, parts)
    bar = ("#" if ascii_only else "█") * whole + (_EIGHTHS[eighths] if eighths else "")
    rest = ("." if ascii_only else "·") * (width - len(bar))
    return Text.assemble((bar, style or _bar_style(used, limit)), (rest, REST))


def usage_style(used: int, limit: int) -> str:
    """The style of a share in words: an alarm from 95 percent, a warning from 80, else plain."""
    return {ROOM: "", NEAR: WARNING, FULL: ALARM}[_bar_style(used, limit)]


def _bar_style(used: int, limit: int) -> str:
    if limit <= 0 or used * 100 < limit * 80:
        return ROOM
    return FULL if used * 100 >= limit * 95 else NEAR


def _filled(used: int, limit: int, parts: int) -> int:
    if used <= 0 or limit <= 0:
        return 0
    if used >= limit:
        return parts
    return min(max(used * parts // limit, 1), parts - 1)
