"""Settings and places: the flag, then the environment, then atectl.toml, then the default."""

import os
from pathlib import Path
from typing import NamedTuple

from atectl.errors import BadConfiguration, BadDuration, BadSize, nearest
from atectl.units import parse_duration, parse_size

NO_LEDGER = "none"
DEFAULT_CACHE_BYTES = 2 << 30


class Settings(NamedTuple):
    """What atectl.toml says. None where it says nothing."""

    ledger_path: str | None = None
    cache_dir: str | None = None
    cache_max_bytes: int | None = None
    redis_url: str | None = None
    redis_password_file: str | None = None
    redis_ca: str | None = None
    redis_cert: str | None = None
    redis_key: str | None = None
    redis_server_name: str | None = None
    redis_timeout_s: float | None = None


def ledger_path(flag: str | None = None) -> Path | None:
    """Where the stored ledger is; None if none is to be kept (`none`).

    Raises:
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    chosen = flag or os.environ.get("ATECTL_LEDGER") or load_settings().ledger_path
    if chosen == NO_LEDGER:
        return None
    return _expanded(chosen) if chosen else default_ledger_path()


def default_ledger_path() -> Path:
    """Where the stored ledger is unless something else is said."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "ledger.db"


def lock_audit_path() -> Path:
    """Where every attempt to release an actor lock is noted."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "lock-audit.jsonl"


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


def load_settings() -> Settings:
    """The settings in atectl.toml; all None if there is no such file.

    Raises:
        BadConfiguration: the file cannot be read or parsed, or has an unknown key (exit 2).
    """
    path = config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if os.environ.get("ATECTL_CONFIG"):
            raise BadConfiguration(f"{path}: no such file") from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path}: {error}") from None
    return _parse(path, text)


_KEYS = {
    ("ledger", "path"): "ledger_path",
    ("cache", "dir"): "cache_dir",
    ("cache", "max_size"): "cache_max_bytes",
    ("redis", "url"): "redis_url",
    ("redis", "password_file"): "redis_password_file",
    ("redis", "ca"): "redis_ca",
    ("redis", "cert"): "redis_cert",
    ("redis", "key"): "redis_key",
    ("redis", "server_name"): "redis_server_name",
    ("redis", "timeout"): "redis_timeout_s",
}


def _parse(path: Path, text: str) -> Settings:
    import tomllib

    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfiguration(f"{path}: {error}") from None
    found: dict[str, str | float] = {}
    known = [f"{table}.{key}" for table, key in _KEYS]
    known_tables = [table for table, _ in _KEYS]
    for table, entries in tables.items():
        if not isinstance(entries, dict) or not (entries or table in known_tables):
            close = nearest(table, known_tables) or nearest(table, known)
            raise BadConfiguration(f"{path}: unknown key {table}{close}")
        for key, value in entries.items():
            name = _KEYS.get((table, key))
            if name is None:
                dotted = f"{table}.{key}"
                raise BadConfiguration(f"{path}: unknown key {dotted}{nearest(dotted, known)}")
            if not isinstance(value, str):
                raise BadConfiguration(f"{path}: {table}.{key} is to be text in quotes")
            if "\0" in value:
                raise BadConfiguration(f"{path}: {table}.{key} holds a NUL character")
            found[name] = _value(path, name, value)
    return Settings(**found)  # type: ignore[arg-type]


def _value(path: Path, name: str, text: str) -> str | float:
    try:
        if name.endswith("_bytes"):
            return parse_size(text)
        return parse_duration(text) if name.endswith("_s") else text
    except (BadSize, BadDuration) as error:
        raise BadConfiguration(f"{path}: {error}") from None


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
