"""Every setting as it is now, and where it comes from."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import typer

from atectl.config import (
    PRESET_COMMANDS,
    Settings,
    cache_dir,
    config_path,
    default_ledger_path,
    load_settings,
    settings_table,
)

from ..options.presets import Found, key_of, presets
from ..options.table import Option, OptionTable
from ..options.table_command import TableCommand

DEFAULT = "default"
_VARIABLES = {"ledger.path": "ATECTL_LEDGER", "redis.url": "ATECTL_REDIS_URL"}


class Setting(NamedTuple):
    """One setting."""

    name: str
    """Its table and key in atectl.toml, such as `run.max_mem`."""
    values: tuple[str, ...]
    """Its value; several for an option that may be repeated, none if there is none."""
    origin: str
    """A variable of the environment, the file and key, or `default`."""

    @property
    def shown(self) -> str:
        return ", ".join(self.values) or "-"


class SettingList(NamedTuple):
    """Every setting as it is now."""

    file: str
    """Where atectl.toml is looked for."""
    settings: tuple[Setting, ...]
    """In the order of the file, and of the options in help."""


def settings_now(
    environment: Mapping[str, str], profile: str | None, *, set_only: bool
) -> SettingList:
    """The settings that a command would have now.

    Args:
        profile: the profile that `--profile` would name.
        set_only: whether to leave out what has its default.

    Raises:
        BadConfiguration: atectl.toml or a variable cannot be used (exit 2).
    """
    found = [*_of_the_user(load_settings(), environment)]
    for table in _tables():
        found += _of_options(table, presets(table, environment, profile))
    left = tuple(each for each in found if not set_only or each.origin != DEFAULT)
    return SettingList(str(config_path()), left)


def _of_the_user(settings: Settings, environment: Mapping[str, str]) -> Iterator[Setting]:
    """The settings of atectl.toml that are no options."""
    usual = {"ledger.path": str(default_ledger_path()), "cache.dir": str(cache_dir())}
    for table in settings_table().fields:
        for field in getattr(table.reader.takes, "fields", ()) if _is_plain(table.key) else ():
            name = f"{table.key}.{field.key}"
            variable = _VARIABLES.get(name, "")
            value: Any = getattr(settings, field.name)
            if environment.get(variable):
                yield Setting(name, (_safe(environment[variable]),), variable)
            elif value is not None:
                yield Setting(name, (_safe(str(value)),), f"{config_path()}: {name}")
            else:
                yield Setting(name, tuple(filter(None, [usual.get(name)])), DEFAULT)


def _is_plain(table: str) -> bool:
    return table not in (*PRESET_COMMANDS, "profiles")


def _of_options(table: OptionTable, found: list[Found]) -> Iterator[Setting]:
    by_name = {each.option.name: each for each in found}
    for option in table.options:
        name = f"{table.command}.{key_of(option)}"
        preset = by_name.get(option.name)
        if preset is None:
            yield Setting(name, _default(option), DEFAULT)
        elif option.takes_value:
            yield Setting(name, tuple(map(_safe, preset.values)), preset.origin)
        else:
            is_on = preset.values == [option.name]
            yield Setting(name, ("true" if is_on else "false",), preset.origin)


def _default(option: Option) -> tuple[str, ...]:
    if option.takes_value:
        return (option.default_text,) if option.default_text else ()
    if option.opposite and not option.default_text:
        return ()
    return ("true" if option.default_text == option.name else "false",)


def _safe(text: str) -> str:
    """A value without the password that a URL may have."""
    return re.sub(r"(?<=://)[^@/]*@", "…@", text)


def _tables() -> Iterator[OptionTable]:
    """The options of the commands that have settings."""
    from ..app import app

    root = typer.main.get_command(app)
    ctx = root.make_context("atectl", [], resilient_parsing=True)
    for name in PRESET_COMMANDS:
        command = root.get_command(ctx, name)  # type: ignore[attr-defined]
        if isinstance(command, TableCommand):
            yield command.table
