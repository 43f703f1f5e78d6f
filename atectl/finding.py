"""What a check of this installation or machine comes to."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check went: `PROBLEM` keeps atectl from its work, `WARNING` may, in some cases."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What was found, in one line, and what to do about it; nothing if that is empty."""

    verdict: Verdict
    found: str
    remedy: str = ""
