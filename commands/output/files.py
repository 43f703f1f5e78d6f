"""Where a file of results may be written, seen before anything runs."""

import os
from pathlib import Path

from atectl.errors import ReportUnwritable
from atectl.system.files import is_special

TO_STDERR = "-"


def check_report_place(place: str) -> None:
    """See, before anything runs, that the report can be written.

    Raises:
        ReportUnwritable: it cannot (exit 125).
    """
    if place == TO_STDERR:
        return
    path = Path(place)
    if path.is_dir():
        raise ReportUnwritable(f"{place!r} is a folder")
    target = path if is_special(path) else path.parent
    if not target.exists():
        raise ReportUnwritable(f"{str(target)!r} does not exist")
    if not os.access(target, os.W_OK):
        raise ReportUnwritable(f"{str(target)!r} may not be written by this user")
