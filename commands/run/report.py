"""Writing the JSON report of a run: `--report`."""

import json
import sys
from pathlib import Path

from atectl.errors import ReportUnwritable
from atectl.lease.report import Report
from atectl.records.as_json import document
from atectl.system.files import is_special, replace_file

from ..output.files import TO_STDERR


def write_report(place: str, report: Report) -> None:
    """Write a report to stderr, to a pipe or device, or to a file, completely or not at all.

    Raises:
        ReportUnwritable: it could not be written (exit 125).
    """
    text = json.dumps(document(report), indent=2) + "\n"
    path = Path(place)
    try:
        if place == TO_STDERR:
            sys.stderr.write(text)
        elif is_special(path):
            path.write_text(text)
        else:
            replace_file(path, text)
    except OSError as error:
        raise ReportUnwritable(f"{place!r}: {error.strerror}") from None
