"""Files that a command writes beside its results: their places, looked at before anything runs."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from atectl.errors import ReportUnwritable, UsageError
from atectl.system.identity import Place, identities

if TYPE_CHECKING:
    from atectl.system.files import OutputPlace

TO_STDERR = "-"


def output_place(path: str | Path) -> "OutputPlace":
    """Where a report or a chart is to be written; its folder stays open until then.

    Raises:
        ReportUnwritable: it cannot be written there (exit 125).
    """
    from atectl.system.files import OutputPlace, why_unwritable

    try:
        return OutputPlace(Path(path))
    except (OSError, ValueError) as error:
        why = why_unwritable(error) if isinstance(error, OSError) else str(error)
        raise ReportUnwritable(f"{str(path)!r}: {why}") from None


def refuse_clashes(
    outputs: Iterable[tuple[str, Path | None]], others: Iterable[tuple[str, Place]]
) -> None:
    """See, before anything runs, that no output replaces an input or another output.

    Args:
        outputs: the option of each output, and its path.
        others: every other file, and what each is.

    Raises:
        UsageError: one is called `-` (exit 2).
        BadJob: two are one file, by whatever names (exit 2).
    """
    others, outputs = list(others), list(outputs)
    for option, path in outputs:
        _refuse_dash(option, path, "file")
    known = identities(others, regular=True)
    # What is not there yet has no identity.
    paths = {
        os.path.realpath(place): what
        for what, place in others
        if place is not None and not isinstance(place, int)
    }
    for option, path in outputs:
        if path is None:
            continue
        [identity] = identities([(option, path)], regular=True) or [None]
        what = paths.setdefault(os.path.realpath(path), option)
        if what == option and identity is not None:
            what = known.setdefault(identity, option)
        if what != option:
            from atectl.budget.errors import BadJob

            raise BadJob(f"{option}: {str(path)!r} is {what}", remedy="name another file")


def _refuse_dash(option: str, path: Path | None, kind: str) -> None:
    """See that what was meant for a stream does not go to a file that is hard to remove.

    An option whose `-` is a stream says so in its help, `FILE|-`, and does not come here with it.
    """
    if str(path) == "-":
        raise UsageError(
            f"{option} takes a {kind}, and - is none",
            remedy=f"name a {kind}; one that is called - is named by its whole path",
        )


def ledger_files(flag: str | None) -> list[tuple[str, Place]]:
    """The stored ledger and the files that are kept beside it, and what each is.

    Args:
        flag: what `--ledger` says.

    Raises:
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    from atectl.config import ledger_place

    place = ledger_place(flag)
    if not isinstance(place, Path):
        return []  # it is on a server, or there is none
    beside = (place.with_name(place.name + ending) for ending in ("-wal", "-shm", "-journal"))
    return [("the ledger", place), *(("a file of the ledger", each) for each in beside)]


def refuse_in_folder(option: str, folder: Path | None, others: Iterable[tuple[str, Place]]) -> None:
    """See, before anything runs, that no other file is where a command writes files of its own.

    Args:
        option: the option of the folder.
        folder: it need not be there yet; None is none.
        others: every other file, and what each is.

    Raises:
        UsageError: it is called `-` (exit 2).
        BadJob: one is there, by whatever name (exit 2).
    """
    if folder is None:
        return
    _refuse_dash(option, folder, "folder")
    within = identities(("", each) for each in _entries(folder))
    for what, place in others:
        is_named_there = isinstance(place, str | os.PathLike) and _folder_of(place) == _real(folder)
        if is_named_there or not within.keys().isdisjoint(identities([(what, place)])):
            from atectl.budget.errors import BadJob

            raise BadJob(
                f"{option}: {str(folder)!r} has {what} in it", remedy="name another folder"
            )


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it is not there, or using it will say what is wrong
        return []


def _folder_of(place: str | os.PathLike[str]) -> str:
    return _real(os.path.dirname(os.path.abspath(place)))  # noqa: PTH100, PTH120 - not its target


def _real(path: str | os.PathLike[str]) -> str:
    return os.path.realpath(path)


def refuse_replacing_others(option: str, path: Path, kind: str, beginning: bytes) -> None:
    """See that an output replaces only a file of its own kind, where inputs are not known yet.

    Args:
        option: the option of the output.
        kind: what it is, such as `trace`.
        beginning: what files of that kind begin with.

    Raises:
        BadJob: there is a file of another kind (exit 2).
    """
    from atectl.system.opening import open_unbent

    try:
        with os.fdopen(open_unbent(str(path), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            found = file.read(len(beginning))
    except (OSError, ValueError):
        return  # It is not there, or opening it for writing will say what is wrong.
    if found and found != beginning:
        from atectl.budget.errors import BadJob

        raise BadJob(
            f"{option}: {str(path)!r} is there and is no {kind}; a job may need it",
            remedy="name another file, or remove this one",
        )
