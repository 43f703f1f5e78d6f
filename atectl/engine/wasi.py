"""What a guest may use of the host: arguments, variables, folders. Everything else is denied."""

import os
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import BadEnvironment, BadFolder, StreamUnusable, UsageError

if TYPE_CHECKING:
    from wasmtime import Store, WasiConfig


class Folder(NamedTuple):
    """A folder of the host, and its name for the guest."""

    host: str
    guest: str
    read_only: bool


class Streams(NamedTuple):
    """Files for the guest's standard streams. None is an empty input, or discards the output.

    Output files are overwritten.
    """

    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None


class WasiSettings(NamedTuple):
    """All that one guest may use; `arguments` begins with the guest's own name.

    Without `streams` it has the standard streams of this process.
    """

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    folders: tuple[Folder, ...] = ()
    streams: Streams | None = None


def parse_folder(text: str) -> Folder:
    """A folder from `HOST[::GUEST][:ro]`. Without GUEST its name for the guest is HOST.

    Raises:
        BadFolder: there is no such folder, it cannot be opened, or GUEST leads out of the
            guest's own root (exit 2).
    """
    path = text.removesuffix(":ro")
    host, separator, guest = path.partition("::")
    guest = guest if separator else host
    if not host or not guest:
        raise BadFolder(f"{text!r} names no folder")
    if ".." in PurePosixPath(guest).parts:
        raise BadFolder(
            f"guest folder {guest!r} escapes through '..'",
            remedy=f"give it a name inside the guest: --dir {host}::/{PurePosixPath(host).name}",
        )
    if not os.path.isdir(host):  # noqa: PTH112 - the engine gets `host` as it was written
        what = "is not a folder" if os.path.exists(host) else "does not exist"  # noqa: PTH110
        raise BadFolder(f"{host!r} {what}")
    if not os.access(host, os.R_OK | os.X_OK):
        raise BadFolder(f"{host!r} may not be read by this user")
    return Folder(host, guest, path != text)


def parse_folders(texts: Iterable[str]) -> tuple[Folder, ...]:
    """The folders of `texts`. No two may have the same name for the guest.

    Raises:
        BadFolder: see `parse_folder`, or two have the same guest name (exit 2).
    """
    folders = tuple(parse_folder(text) for text in texts)
    seen: set[str] = set()
    for folder in folders:
        if folder.guest in seen:
            raise BadFolder(f"two folders are named {folder.guest!r} for the guest")
        seen.add(folder.guest)
    return folders


def parse_variable(text: str, inherited: Mapping[str, str]) -> tuple[str, str]:
    """A variable from `NAME=VALUE`, or from `NAME` with its value in `inherited`.

    Raises:
        BadEnvironment: the name is empty, or it is not set in `inherited` (exit 2).
    """
    name, separator, value = text.partition("=")
    if not name:
        raise BadEnvironment(f"{text!r} has no name")
    if separator:
        return name, value
    if name not in inherited:
        raise BadEnvironment(f"{name!r} is not set here, so it cannot be passed on")
    return name, inherited[name]


def parse_variables(
    texts: Iterable[str], inherited: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """The variables of `texts`. If several have the same name, the last one counts.

    Raises:
        BadEnvironment: see `parse_variable` (exit 2).
    """
    return tuple(dict(parse_variable(text, inherited) for text in texts).items())


def wasi_config(settings: WasiSettings) -> "WasiConfig":
    """The settings for one guest, in the form that the engine takes.

    Raises:
        StreamUnusable: a file for a standard stream cannot be opened (exit 125).
        UsageError: an argument or variable is not UTF-8 (exit 2).
        BadFolder: a folder is gone since it was parsed (exit 2).
    """
    import wasmtime  # as a whole: `from … import` takes several times as long, at every lease

    config = wasmtime.WasiConfig()
    try:
        config.argv = list(settings.arguments)
        config.env = settings.environment
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object!r} is not UTF-8, which WASI asks for") from None
    if settings.streams is None:
        config.inherit_stdin()
        config.inherit_stdout()
        config.inherit_stderr()
    else:
        _connect(config, settings.streams)
    for folder in settings.folders:
        try:
            config.preopen_dir(folder.host, folder.guest, not folder.read_only)
        except (wasmtime.WasmtimeError, UnicodeEncodeError) as error:
            raise BadFolder(f"{folder.host!r} cannot be opened: {error}") from None
    return config


def take_away(store: "Store") -> None:
    """Take everything of the host from the store's guest: streams, folders and variables.

    This may be called while the guest runs, in a callback on its thread. What the guest does from
    then on has no effect outside.
    """
    import wasmtime

    store.set_wasi(wasmtime.WasiConfig())


def _connect(config: "WasiConfig", streams: Streams) -> None:
    import wasmtime

    for name, path in streams._asdict().items():
        if path is None:
            continue
        if os.path.isdir(path):  # noqa: PTH112 - the engine opens a folder, and fails only later
            raise StreamUnusable(f"{name}: {path!r} is a folder")
        try:
            setattr(config, f"{name}_file", path)
        except (wasmtime.WasmtimeError, UnicodeEncodeError) as error:
            why = _why_unopened(path, is_read=name == "stdin") or error
            raise StreamUnusable(f"{name}: {path!r} cannot be opened: {why}") from None


def _why_unopened(path: str, *, is_read: bool) -> str | None:
    """Why the system does not open a file that the engine could not open; None if it does."""
    flags = os.O_RDONLY if is_read else os.O_WRONLY | os.O_CREAT
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK, 0o666))
    except FileNotFoundError as error:
        return error.strerror if is_read else "its folder does not exist"
    except OSError as error:
        return error.strerror
    return None
