"""Defaults of options from the environment and from atectl.toml, by one rule for all of them.

The option `--max-mem` of `run` is `ATECTL_RUN_MAX_MEM` in the environment, and `max_mem` under
`[run]` or `[profiles.NAME.run]` in atectl.toml. The command line goes first, then the environment,
then the profile, then the file. Where there is neither such a variable nor a file, as
`atectl.config.may_have_presets` says, no command imports this.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from atectl.config import config_path, load_settings
from atectl.errors import BadConfiguration, nearest

from .places import PROFILE
from .table import Given, Option, OptionTable

if TYPE_CHECKING:
    from atectl.config import Preset

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_NOT_PRESET = (PROFILE.name,)


class Found(NamedTuple):
    """A setting of an option: its values, as on the command line, and where it is."""

    option: Option
    values: list[str]
    origin: str


def key_of(option: Option) -> str:
    """What an option is called in atectl.toml."""
    return option.name.removeprefix("--").replace("-", "_")


def take_presets(given: Given, table: OptionTable, environment: Mapping[str, str]) -> None:
    """Give the options that the command line does not have what is set for them.

    Raises:
        BadConfiguration: atectl.toml cannot be used, there is no such profile, or an option is
            set that the command has not, or to what it cannot be (exit 2).
    """
    for found in presets(table, environment, given.last(PROFILE.name)):
        if found.values and found.option.name not in given:
            given.preset(found.option, found.values, found.origin)


def presets(
    table: OptionTable, environment: Mapping[str, str], profile: str | None = None
) -> list[Found]:
    """What is set for the options of a command, each option at most once.

    Args:
        profile: the name that `--profile` gives; None if it was not given.

    Raises:
        BadConfiguration: see `take_presets` (exit 2).
    """
    prefix = f"ATECTL_{table.command.upper()}_"
    by_key = {key_of(option): option for option in table.options}
    found: dict[str, Found] = {}
    for variable in environment:
        if variable.startswith(prefix):
            key = variable.removeprefix(prefix).lower()
            option = _option(by_key, key, variable)
            values = _from_text(option, environment[variable], variable)
            found[option.name] = Found(option, values, variable)
    named = profile or environment.get(f"{prefix}PROFILE") or environment.get(PROFILE.variable)
    named = named or None
    if named is None and not os.path.lexists(config_path()):
        return _but_for_variables(found, environment)
    for where, key, preset in _from_file(table.command, named):
        option = _option(by_key, key, where)
        if option.name not in found:
            found[option.name] = Found(option, _from_preset(option, preset, where), where)
    return _but_for_variables(found, environment)


def _but_for_variables(found: dict[str, Found], environment: Mapping[str, str]) -> list[Found]:
    """What is left where a variable that other commands know too goes before the file."""
    return [
        each
        for each in found.values()
        if not environment.get(each.option.variable) or each.origin in environment
    ]


def _from_file(command: str, profile: str | None) -> "list[tuple[str, str, Preset]]":
    """What atectl.toml says: where, the key, and the value. The profile comes first."""
    settings = load_settings()
    file = config_path()
    entries: list[tuple[str, str, Preset]] = []
    if profile is not None:
        profiles = settings.profiles or {}
        if profile not in profiles:
            raise BadConfiguration(
                f"there is no profile {profile!r} in {file}{nearest(profile, list(profiles))}",
                remedy=f"write [profiles.{profile}.{command}] into it, or leave --profile out",
            )
        for key, value in (profiles[profile].get(command) or {}).items():
            entries.append((f"{file}: profiles.{profile}.{command}.{key}", key, value))
    for key, value in ((settings.options or {}).get(command) or {}).items():
        entries.append((f"{file}: {command}.{key}", key, value))
    return entries


def _option(by_key: Mapping[str, Option], key: str, where: str) -> Option:
    option = by_key.get(key)
    if option is None or (option.name in _NOT_PRESET and "." in where):
        raise BadConfiguration(
            f"{where}: there is no such option{nearest(key, list(by_key))}",
            remedy="`atectl config show` lists all that can be set",
        )
    return option


def _lines(text: str) -> list[str]:
    # Not `splitlines`: that ends a line at characters which a value may have, such as U+2028.
    return text.removesuffix("\n").split("\n") if text else []


def _from_text(option: Option, text: str, where: str) -> list[str]:
    """The values in a variable: a flag is true or false; of several values each is a line."""
    if option.takes_value:
        return _lines(text) if option.repeatable else [text]
    if text.lower() not in (*_ON, *_OFF):
        raise BadConfiguration(
            f"{where}: {text!r} is neither true nor false", remedy="write true or false"
        )
    return _of_flag(option, is_on=text.lower() in _ON)


def _from_preset(option: Option, preset: "Preset", where: str) -> list[str]:
    if isinstance(preset, bool):
        if option.takes_value:
            raise BadConfiguration(f"{where}: {option.name} takes a value, such as text in quotes")
        return _of_flag(option, is_on=preset)
    if not option.takes_value:
        raise BadConfiguration(f"{where}: it is neither true nor false")
    if len(preset) != 1 and not option.repeatable:
        raise BadConfiguration(f"{where}: {option.name} takes one value")
    return list(preset)


def _of_flag(option: Option, *, is_on: bool) -> list[str]:
    """What stands on a command line for a flag that is on or off; nothing if it is off anyhow."""
    name = option.name if is_on else option.opposite
    return [name] if name else []
