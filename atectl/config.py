"""Settings and places: the flag, then the environment, then atectl.toml, then the default."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from atectl.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atectl.records.reading import Table

Preset = tuple[str, ...] | bool
"""What a setting says of an option: whether a flag is on, or the values of any other."""

NO_LEDGER = "none"
DEFAULT_CACHE_BYTES = 2 << 30
"""What the compiled capsules may take together."""

MANIFEST_NAME = "Capsule.toml"
"""What the file is called that says which capsule lies beside it."""

PRESET_COMMANDS = ("run", "batch")
"""The commands whose options have defaults in atectl.toml and in the environment."""

_PRESET_TAKES = {
    "type": ["string", "number", "boolean", "array"],
    "items": {"type": ["string", "number"]},
}

DEFAULT_REDIS_TIMEOUT_S = 5.0
"""How long a connection to Redis is waited for, and each answer."""


class Settings(NamedTuple):
    """What atectl.toml says. None where it says nothing."""

    ledger_path: str | None = None
    """The file or the server of the stored ledger, or `none` to keep none."""
    cache_dir: str | None = None
    """The folder of compiled capsules."""
    cache_max_bytes: int | None = None
    """What the compiled capsules may take together."""
    redis_url: str | None = None
    """Where the actor locks are."""
    redis_password_file: str | None = None
    """The file of the password, in place of one in the URL."""
    redis_ca: str | None = None
    """The file of the certificate authorities to trust in place of the system's."""
    redis_cert: str | None = None
    """The file of the client certificate."""
    redis_key: str | None = None
    """The file of its key, if that is not in the same file."""
    redis_server_name: str | None = None
    """The name to expect in the server's certificate."""
    redis_timeout_s: float | None = None
    """How long to wait for a connection, and for each answer."""
    options: "Mapping[str, Mapping[str, Preset]] | None" = None
    """Defaults of options, by command, `run` or `batch`, and by the name with underscores."""
    profiles: "Mapping[str, Mapping[str, Mapping[str, Preset]]] | None" = None
    """The same by the names of profiles."""


def ledger_place(flag: str | None = None) -> Path | str | None:
    """Where the stored ledger is: a file, or the URL of a server; None if none is kept (`none`).

    Raises:
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    chosen = flag or os.environ.get("ATECTL_LEDGER") or load_settings().ledger_path
    if chosen == NO_LEDGER:
        return None
    if chosen and "://" in chosen:
        return chosen
    return _expanded(chosen) if chosen else default_ledger_path()


def default_ledger_path() -> Path:
    """Where the stored ledger is unless something else is said."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "ledger.db"


def ledger_spool_path(name: str) -> Path:
    """Where leases wait for the server of the ledger; `name` is of that server."""
    return _xdg("XDG_STATE_HOME", ".local/state") / f"ledger-spool-{name}.db"


def lock_audit_path() -> Path:
    """Where every attempt to release an actor lock is noted."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "lock-audit.jsonl"


def fleet_dir() -> Path:
    """Where a host of a fleet keeps what it needs while it runs."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "fleet"


def cache_dir() -> Path:
    """Where compiled artifacts are kept."""
    chosen = load_settings().cache_dir
    return _expanded(chosen) if chosen else _xdg("XDG_CACHE_HOME", ".cache")


def cache_max_bytes() -> int:
    """How much the compiled artifacts may take together."""
    return load_settings().cache_max_bytes or DEFAULT_CACHE_BYTES


def config_path() -> Path:
    """Where atectl.toml is looked for."""
    chosen = os.environ.get("ATECTL_CONFIG")
    return Path(chosen) if chosen else _xdg("XDG_CONFIG_HOME", ".config") / "atectl.toml"


def may_have_presets(command: str, environment: "Mapping[str, str]") -> bool:
    """Whether anything may be set for the options of a command: a variable, a profile, or a file.

    This is asked at every start, and is no more than one look for each.
    """
    wanted = (f"ATECTL_{command.upper()}_", "ATECTL_PROFILE")
    return any(name.startswith(wanted) for name in environment) or os.path.lexists(config_path())


def load_settings() -> Settings:
    """The settings in atectl.toml; all None if there is no such file.

    Raises:
        BadConfiguration: the file cannot be read or parsed, or has an unknown key (exit 2).
    """
    path = config_path()
    try:
        path.stat()
    except FileNotFoundError:
        if os.environ.get("ATECTL_CONFIG"):
            raise BadConfiguration(f"{path}: no such file") from None
        return Settings()
    except OSError as error:
        raise BadConfiguration(f"{path}: {error.strerror}") from None
    return _load(path)


def _load(path: Path) -> Settings:
    # Most users have no such file, and every command would pay for the imports.
    from atectl.records.files import text_of, toml_of
    from atectl.records.reading import Fault

    try:
        tables = settings_table().values(toml_of(text_of(path)))
    except Fault as fault:
        raise BadConfiguration(str(fault.at(file=str(path))), remedy=fault.remedy) from None
    profiles = tables.pop("profiles", None)
    options = {name: tables.pop(name) for name in PRESET_COMMANDS if name in tables}
    found: dict[str, Any] = {}
    for values in tables.values():
        found |= values
    return Settings(**found, options=options, profiles=profiles)


def settings_table() -> "Table":
    """The whole of atectl.toml."""
    from atectl.records.readers import by_name, duration, filled, size, text, values_of
    from atectl.records.reading import Field, Reader, Table

    ledger = (Field("path", text, "ledger_path"),)
    cache = (Field("dir", text, "cache_dir"), Field("max_size", size, "cache_max_bytes"))
    redis = (
        Field("url", text, "redis_url"),
        Field("password_file", text, "redis_password_file"),
        Field("ca", text, "redis_ca"),
        Field("cert", text, "redis_cert"),
        Field("key", text, "redis_key"),
        Field("server_name", text, "redis_server_name"),
        Field("timeout", duration, "redis_timeout_s"),
    )
    tables = (
        ("ledger", ledger, "The stored ledger."),
        ("cache", cache, "The cache of compiled capsules."),
        ("redis", redis, "The server that actor locks are on."),
    )
    presets = by_name(filled, Reader(_preset, _PRESET_TAKES))
    defaults = tuple(
        Field(name, presets, says=f"Options of `atectl {name}`, by their names with underscores.")
        for name in PRESET_COMMANDS
    )
    of_profile = Table(fields=defaults, says="Options that are in force with `--profile NAME`.")
    return Table(
        says="The settings of a user: atectl.toml. Flags and the environment go before it.",
        fields=(
            *(
                Field(name, values_of(Table(Settings, fields=fields, says=says)), says=says)
                for name, fields, says in tables
            ),
            *defaults,
            Field("profiles", by_name(filled, values_of(of_profile)), says="By their names."),
        ),
    )


def _preset(value: Any) -> Preset:
    from atectl.records.readers import number_text, text
    from atectl.records.reading import Fault, shown

    if isinstance(value, bool):
        return value
    words: list[str] = []
    for each in value if isinstance(value, list) else [value]:
        is_number = each.__class__ in (int, float)
        if not is_number and not isinstance(each, str):
            raise Fault(f"{shown(each)} is no value of an option")
        words.append(number_text(each) if is_number else text.read(each))
    return tuple(words)


def _xdg(variable: str, fallback: str) -> Path:
    # The base directory specification has relative values ignored.
    base = os.environ.get(variable, "")
    if base.startswith("/"):
        return Path(base) / "atectl"
    try:
        return Path.home() / fallback / "atectl"
    except RuntimeError:
        raise BadConfiguration(
            "the home folder of this user is not known", remedy="set HOME"
        ) from None


def _expanded(text: str) -> Path:
    # Unlike pathlib's, this leaves the name of an unknown user as it stands.
    return Path(os.path.expanduser(text))  # noqa: PTH111
