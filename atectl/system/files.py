"""Files that are written completely or not at all."""

import os
import stat
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file completely or not at all. What was there is replaced.

    Raises:
        OSError: it could not be written; what was there is unchanged.
    """
    # Few runs write a file; the others should not pay for this import.
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink()
            raise


def is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
