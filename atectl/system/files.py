"""Files that are written whole or not at all."""

import os
import stat
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a whole file or none.

    Raises:
        OSError: it could not be written; what was there is as it was.
    """
    # Few runs write a file, and every batch would pay for its import.
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
