"""The files of the manual pages: made, written and checked."""

from pathlib import Path

from atectl.errors import ManualDiffers, ManualUnwritable, UsageError, nearest

from ..options.tree import read_tree
from .roff import OF_ATECTL, manual_pages


def page_of(command: str | None) -> str:
    """The page of a command or group; that of atectl for None.

    Raises:
        UsageError: there is no such command (exit 2).
    """
    pages = manual_pages(read_tree())
    name = "atectl.1" if command is None else f"atectl-{command}.1"
    if name not in pages:
        known = [each.removeprefix("atectl-").removesuffix(".1") for each in pages]
        raise UsageError(
            f"there is no page of {command!r}{nearest(command or '', known)}",
            remedy="`atectl --help` lists the commands",
        )
    return pages[name]


def write_pages(folder: Path) -> int:
    """Write all pages, and remove pages of commands that are gone. Returns how many there are.

    Raises:
        ManualUnwritable: the folder cannot be written (exit 125).
    """
    from atectl.system.files import replace_file

    pages = manual_pages(read_tree())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            replace_file(folder / name, text)
        for path in _own_pages(folder):
            if path.name not in pages:
                path.unlink()
    except OSError as error:
        raise ManualUnwritable(f"cannot write to {folder}: {error.strerror}") from None
    return len(pages)


def check_pages(folder: Path) -> None:
    """Check that a folder has these pages, unchanged, and no others.

    Raises:
        ManualDiffers: a page is missing, different, or of no command (exit 1).
    """
    pages = manual_pages(read_tree())
    for name, text in pages.items():
        try:
            found = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise ManualDiffers(f"{folder / name} is missing or cannot be read") from None
        if found != text:
            raise ManualDiffers(f"{folder / name} differs from what this atectl writes")
    for path in sorted(_own_pages(folder)):
        if path.name not in pages:
            raise ManualDiffers(f"{path} is the page of no command")


def _own_pages(folder: Path) -> list[Path]:
    """The pages that an atectl wrote; names of others may begin alike."""
    return [path for path in folder.glob("atectl*.1") if _is_own(path)]


def _is_own(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return OF_ATECTL.match(file.read(_LOOK_BYTES)) is not None
    except OSError:
        return False


_LOOK_BYTES = 200
