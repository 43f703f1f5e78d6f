"""The used share of a limit, as a bar and as a percentage."""

from rich.text import Text

_EIGHTHS = " ▏▎▍▌▋▊▉"


def usage_bar(
    used: int, limit: int, width: int, *, ascii_only: bool = False, style: str | None = None
) -> Text:
    """A bar of `width` columns. It is full only if all is used, and empty only if nothing is.

    Its steps are an eighth of a column, or a whole column with `ascii_only`. Its colour is that of
    `usage_style`, unless one is given.
    """
    parts = 1 if ascii_only else 8
    filled = _filled(used, limit, width * parts)
    whole, eighths = divmod(filled, parts)
    bar = ("#" if ascii_only else "█") * whole + (_EIGHTHS[eighths] if eighths else "")
    rest = ("." if ascii_only else "·") * (width - len(bar))
    return Text.assemble((bar, style or usage_style(used, limit) or "green"), (rest, "dim"))


def percent(used: int, limit: int) -> str:
    """`used` as a percentage of `limit`, rounded down; `<1%` above 0, `-` without a limit."""
    if limit <= 0:
        return "-"
    whole = used * 100 // limit
    return "<1%" if used > 0 and whole == 0 else f"{whole}%"


def usage_style(used: int, limit: int) -> str:
    """The style for a share of a limit: red from 95 percent, yellow from 80, else plain."""
    if limit <= 0 or used * 100 < limit * 80:
        return ""
    return "bold red" if used * 100 >= limit * 95 else "yellow"


def _filled(used: int, limit: int, parts: int) -> int:
    if used <= 0 or limit <= 0:
        return 0
    if used >= limit:
        return parts
    return min(max(used * parts // limit, 1), parts - 1)
