"""What a guest may use of the host: arguments, variables, folders. Everything else is denied."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import BadEnvironment, BadFolder, StreamUnusable, UsageError

if TYPE_CHECKING:
    from wasmtime import Store, WasiConfig


Write = Callable[[bytes], int]
"""Writes what there is room for. Returns the bytes written, or less than 0: an errno."""


class Folder(NamedTuple):
    """A folder of the host, and its name for the guest."""

    host: str
    guest: str
    read_only: bool


class OpenStream(NamedTuple):
    """A file for one of the guest's standard streams: which, its path, and a descriptor of it."""

    stream: str
    path: str
    descriptor: int


class Streams(NamedTuple):
    """Files for the guest's standard streams. None is an empty input, or discards the output.

    Output files are overwritten.
    """

    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    check: Callable[[str, str, int], None] | None = None
    """Told of each file before it is written or read: its stream, its path and a descriptor of it.
    It raises what keeps the file from being used."""
    opened: tuple[OpenStream, ...] | None = None
    """The files, where they are open already."""
    inherited: tuple[str, ...] = ()
    """The streams that are those of this process, where no file is named for them."""


NO_FILES = Streams()


class WasiSettings(NamedTuple):
    """All that one guest may use; `arguments` begins with the guest's own name.

    Without `streams` it has the standard streams of this process.
    """

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    folders: tuple[Folder, ...] = ()
    streams: Streams | None = None
    max_output_bytes: int | None = None
    """What the guest may write to the standard streams of this process; None is no limit."""
    write_stderr: "Write | None" = None
    """How the guest's words get to the stderr of this process; None is directly."""


def parse_folder(text: str) -> Folder:
    """A folder from `HOST[::GUEST][:ro]`. Without GUEST its name for the guest is HOST.

    What docker takes is understood too: `HOST:/GUEST[:ro|:rw]`.

    Raises:
        BadFolder: there is no such folder, it cannot be opened, or GUEST leads out of the
            guest's own root (exit 2).
    """
    host, guest, read_only = _parts(text)
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
    return Folder(host, guest, read_only)


def _parts(text: str) -> tuple[str, str, bool]:
    """The folder of the host, its name for the guest, and whether it is only to be read."""
    path = text.removesuffix(":ro")
    read_only = path != text
    path = path if read_only else path.removesuffix(":rw")
    host, separator, guest = path.partition("::")
    if separator:
        return host, guest, read_only
    host, separator, guest = path.rpartition(":/")
    # A colon can be part of a name: what is there as it was written is meant.
    if separator and not os.path.isdir(path):  # noqa: PTH112
        return host, f"/{guest}", read_only
    return path, path, read_only


def parse_folders(texts: Iterable[str]) -> tuple[Folder, ...]:
    """The folders of `texts`. No two may have the same name for the guest.

    Raises:
        BadFolder: see `parse_folder`, or two have the same guest name (exit 2).
    """
    folders = tuple(parse_folder(text) for text in texts)
    require_own_names(folders)
    return folders


def require_own_names(folders: Iterable[Folder]) -> None:
    """See that no two folders have the same name for the guest.

    Raises:
        BadFolder: they do (exit 2).
    """
    seen: set[str] = set()
    for folder in folders:
        if folder.guest in seen:
            raise BadFolder(f"two folders are named {folder.guest!r} for the guest")
        seen.add(folder.guest)


def devices_in(folder: Folder) -> BadFolder | None:
    """What to warn of where devices or pipes are right in a folder; None if none are found there.

    The guest can use them as this user can, as the engine has no way to leave them out.
    """
    try:
        with os.scandir(folder.host) as entries:
            found = [each.name for each in islice(entries, _MOST_LOOKED_AT) if _is_device(each)]
    except OSError:  # opening it to the guest says what is wrong
        return None
    if not found:
        return None
    what = f"{found[0]!r}" if len(found) == 1 else f"{found[0]!r} and {len(found) - 1} more"
    return BadFolder(
        f"{folder.host!r} has devices or pipes in it, {what}: the guest can use them",
        remedy="give it a folder without them, or one on a filesystem mounted nodev",
    )


_MOST_LOOKED_AT = 1000


def _is_device(entry: "os.DirEntry[str]") -> bool:
    is_plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
    return not (is_plain or entry.is_symlink())


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


_IN_UTF8 = "write it in UTF-8: a guest is told its arguments and variables"


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
        if settings.environment:
            config.env = settings.environment
    except UnicodeEncodeError as error:
        message = f"{error.object!r} is not UTF-8, which WASI asks for"
        raise UsageError(message, remedy=_IN_UTF8) from None
    if settings.streams is None:
        _inherit(config, settings)
    else:
        _connect(config, settings.streams)
    for folder in settings.folders:
        _preopen(config, folder)
    return config


def _inherit(config: "WasiConfig", settings: WasiSettings) -> None:
    """Give the guest the standard streams of this process."""
    config.inherit_stdin()
    write_stderr = settings.write_stderr
    if settings.max_output_bytes is not None:
        bounded = _BoundedOutput(settings.max_output_bytes)
        config.stdout_custom = bounded.through(_direct(1))
        config.stderr_custom = bounded.through(write_stderr or _direct(2))
        return
    config.inherit_stdout()
    if write_stderr is None:
        config.inherit_stderr()
    else:
        config.stderr_custom = write_stderr


def _direct(descriptor: int) -> Write:
    def write(data: bytes) -> int:
        try:
            return os.write(descriptor, data)
        except OSError as error:
            return -(error.errno or errno.EIO)

    return write


class _BoundedOutput:
    """Several streams that take so many bytes together; then they are full."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def through(self, write: Write) -> Write:
        """One of the streams, written by `write`."""

        def bounded(data: bytes) -> int:
            if data and self._left <= 0:
                return -errno.ENOSPC
            written = write(data[: self._left])
            self._left -= max(written, 0)
            return written

        return bounded


def take_away(store: "Store") -> None:
    """Take everything of the host from the store's guest: streams, folders and variables.

    This may be called while the guest runs, in a callback on its thread. What the guest does from
    then on has no effect outside.
    """
    import wasmtime

    store.set_wasi(wasmtime.WasiConfig())


def open_streams(streams: Streams) -> tuple[OpenStream, ...]:
    """Open the files for a guest's standard streams, and have each checked. To be closed.

    Raises:
        StreamUnusable: one cannot be opened (exit 125).
        AtectlError: what the check raises.
    """
    opened: list[OpenStream] = []
    try:
        for name in ("stdin", "stdout", "stderr"):
            path: str | None = getattr(streams, name)
            if path is None:
                continue
            opened.append(OpenStream(name, path, _stream(name, path)))
            if stat.S_ISDIR(os.fstat(opened[-1].descriptor).st_mode):
                raise StreamUnusable(f"{name}: {path!r} is a folder")
            if streams.check is not None:
                streams.check(*opened[-1])
    except BaseException:
        close_streams(opened)
        raise
    return tuple(opened)


def close_streams(opened: Iterable[OpenStream]) -> None:
    """Close the descriptors of open streams."""
    for each in opened:
        os.close(each.descriptor)


def _connect(config: "WasiConfig", streams: Streams) -> None:
    if streams.opened is not None:
        _connect_opened(config, streams.opened)
        for name in streams.inherited:
            getattr(config, f"inherit_{name}")()
        return
    opened = open_streams(streams)
    try:
        _connect_opened(config, opened)
    finally:
        close_streams(opened)


def _connect_opened(config: "WasiConfig", opened: Iterable[OpenStream]) -> None:
    import wasmtime

    for name, path, descriptor in opened:
        try:
            # By its descriptor: what is at the path by now may be something else.
            setattr(config, f"{name}_file", f"/proc/self/fd/{descriptor}")
        except wasmtime.WasmtimeError as error:
            why = _why_unopened(descriptor, is_read=name == "stdin") or error
            raise StreamUnusable(f"{name}: {path!r} cannot be opened: {why}") from None


def _stream(name: str, path: str) -> int:
    """A descriptor of the file for a stream, which is made if it is to be written and not there."""
    from atectl.system.opening import LinkInTheWay, open_unbent

    try:
        try:
            return open_unbent(path, os.O_PATH)
        except FileNotFoundError:
            if name == "stdin":
                raise
        return open_unbent(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)
    except LinkInTheWay as error:
        raise StreamUnusable(
            f"{name}: {path!r} cannot be opened: {error.strerror}, which a guest may have made",
            remedy="name the file itself, as no link is followed that a guest can have made",
        ) from None
    except FileNotFoundError as error:
        why = error.strerror if name == "stdin" else "its folder does not exist"
        raise StreamUnusable(f"{name}: {path!r} cannot be opened: {why}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StreamUnusable(f"{name}: {path!r} cannot be opened: {why}") from None


def _why_unopened(descriptor: int, *, is_read: bool) -> str | None:
    """Why the system does not open a file that the engine could not open; None if it does."""
    flags = os.O_RDONLY if is_read else os.O_WRONLY
    try:
        os.close(os.open(f"/proc/self/fd/{descriptor}", flags | os.O_NONBLOCK))
    except OSError as error:
        return error.strerror
    return None


def _preopen(config: "WasiConfig", folder: Folder) -> None:
    """Open a folder to the guest.

    Raises:
        BadFolder: it cannot be opened (exit 2).
    """
    import wasmtime

    descriptor = _folder_itself(folder.host)
    try:
        config.preopen_dir(f"/proc/self/fd/{descriptor}", folder.guest, not folder.read_only)
    except UnicodeEncodeError:
        raise BadFolder(
            f"{folder.guest!r} is not UTF-8, which WASI asks for",
            remedy="name it for the guest: --dir HOST::GUEST",
        ) from None
    except wasmtime.WasmtimeError as error:
        raise BadFolder(f"{folder.host!r} cannot be opened: {error}") from None
    finally:
        os.close(descriptor)


def _folder_itself(path: str) -> int:
    """A descriptor of the folder at `path`, to which no doubtful link leads."""
    from atectl.system.opening import LinkInTheWay, open_unbent

    try:
        return open_unbent(path, os.O_PATH | os.O_DIRECTORY)
    except LinkInTheWay as error:
        raise BadFolder(
            f"{path!r} cannot be opened: {error.strerror}, which a guest may have made",
            remedy="name the folder itself, as no link is followed that a guest can have made",
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadFolder(f"{path!r} cannot be opened: {why}") from None
