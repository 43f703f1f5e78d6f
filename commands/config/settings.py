"""Every setting as it is now, and where it comes from."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import typer

from atectl.config import (
    DEFAULT_CACHE_BYTES,
    DEFAULT_REDIS_TIMEOUT_S,
    PRESET_COMMANDS,
    Settings,
    cache_dir,
    config_path,
    default_ledger_path,
    load_settings,
    settings_table,
)
from atectl.units import duration_text, format_size

from ..options.places import LEDGER, RedisOptions
from ..options.presets import Found, key_of, presets
from ..options.table import Option, OptionTable, options_of
from ..options.table_command import TableCommand

DEFAULT = "default"
_VARIABLES = {"ledger.path": "ATECTL_LEDGER", "redis.url": "ATECTL_REDIS_URL"}
_SETTING_OF = {
    LEDGER.name: "ledger.path",
    **{option.name: f"redis.{field}" for field, option in options_of(RedisOptions).items()},
}
"""The setting of the user that an option goes before."""


class Setting(NamedTuple):
    """One setting."""

    name: str
    """Its table and key in atectl.toml, such as `run.max_mem`."""
    values: tuple[str, ...]
    """Its value; several for an option that may be repeated, none if there is none."""
    usually: str | None
    """What holds where there is no value, in words; null if that is nothing."""
    origin: str
    """A variable of the environment, the file and key, or `default`."""

    @property
    def shown(self) -> str:
        return ", ".join(self.values) or self.usually or "-"


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
    known = {each.name for each in found if each.values}
    for table in _tables():
        found += _of_options(table, presets(table, environment, profile), known)
    left = tuple(each for each in found if not set_only or each.origin != DEFAULT)
    return SettingList(str(config_path()), left)


def _of_the_user(settings: Settings, environment: Mapping[str, str]) -> Iterator[Setting]:
    """The settings of atectl.toml that are no options."""
    usual = {
        "ledger.path": str(default_ledger_path()),
        "cache.dir": str(cache_dir()),
        "cache.max_size": format_size(DEFAULT_CACHE_BYTES),
        "redis.timeout": duration_text(DEFAULT_REDIS_TIMEOUT_S),
    }
    for table in settings_table().fields:
        for field in getattr(table.reader.takes, "fields", ()) if _is_plain(table.key) else ():
            name = f"{table.key}.{field.key}"
            variable = _VARIABLES.get(name, "")
            value: Any = getattr(settings, field.name)
            if environment.get(variable):
                yield Setting(name, (_safe(environment[variable]),), None, variable)
            elif value is not None:
                yield Setting(name, (_safe(str(value)),), None, f"{config_path()}: {name}")
            else:
                yield Setting(name, tuple(filter(None, [usual.get(name)])), None, DEFAULT)


def _is_plain(table: str) -> bool:
    return table not in (*PRESET_COMMANDS, "profiles")


def _of_options(table: OptionTable, found: list[Found], known: set[str]) -> Iterator[Setting]:
    """The settings of the options of a command. `known` are those of the user that have a value."""
    by_name = {each.option.name: each for each in found}
    for option in table.options:
        name = f"{table.command}.{key_of(option)}"
        preset = by_name.get(option.name)
        if preset is None:
            values = _default(option)
            yield Setting(name, values, None if values else _usually(option, known), DEFAULT)
        elif option.takes_value:
            yield Setting(name, tuple(map(_safe, preset.values)), None, preset.origin)
        else:
            is_on = preset.values == [option.name]
            yield Setting(name, ("true" if is_on else "false",), None, preset.origin)


def _default(option: Option) -> tuple[str, ...]:
    if option.takes_value:
        return (option.default_text,) if option.default_text else ()
    if option.opposite and not option.default_text:
        return ()
    return ("true" if option.default_text == option.name else "false",)


def _usually(option: Option, known: set[str]) -> str | None:
    """What holds where an option is not given and has no default of its own."""
    setting = _SETTING_OF.get(option.name, "")
    return f"as {setting}" if setting in known else option.usually or None


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
