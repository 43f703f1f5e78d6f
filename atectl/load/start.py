"""What a capsule needs to start: the question to the process that tries it, and its answer."""

from typing import NamedTuple

from atectl.capsule.creation import Creation
from atectl.engine.kind import Kind


class Question(NamedTuple):
    """What is asked of such a process, whose file is the artifact."""

    kind: Kind
    creates: Creation
    has_start: bool
    least_bytes: int
    """The quota to begin with."""
    most_bytes: int
    """The largest quota to try."""


class Start(NamedTuple):
    """What a capsule needs to start, or why it does not."""

    min_bytes: int | None
    """The smallest quota; None if it does not start under the largest that was tried."""
    is_tried: bool = True
    """Whether that was found out by instantiating it; else it is what the capsule declares."""
    code: str | None = None
    """Of the error that it ends with under every quota; None if there is none."""
    said: str = ""
    """What went wrong, beginning with the capsule's name."""
