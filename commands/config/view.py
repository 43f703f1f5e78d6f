"""Settings as a table."""

from rich.console import RenderableType

from ..drawing.columns import Column, LineTable
from .settings import Setting, SettingList


def settings_table(found: SettingList) -> RenderableType:
    """One setting a line."""
    return LineTable(_COLUMNS, found.settings, tells_hidden=True)


_COLUMNS: tuple[Column[Setting], ...] = (
    Column("name", "SETTING", lambda each: each.name, 21, 0, grows=True),
    Column("value", "VALUE", lambda each: each.shown, 16, 1, grows=True, folds=True),
    Column("origin", "FROM", lambda each: each.origin, 16, 2, grows=True, is_name=True),
)
