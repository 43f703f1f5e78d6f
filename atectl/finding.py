"""What a check of this installation or machine comes to."""

from enum import StrEnum
from typing import Annotated, NamedTuple

from atectl.records.types import Mark


class Verdict(StrEnum):
    """How a check went: `problem` keeps atectl from its work, `warning` may, in some cases."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """What was found, and what to do about it."""

    verdict: Verdict
    """How the check went."""
    found: str
    """What was found, in one line."""
    remedy: Annotated[str, Mark.EMPTY_IS_UNKNOWN] = ""
    """What to do; null where there is nothing to do."""
