"""How a cell runs, as its host says when it has it forked."""

import json
from typing import NamedTuple

SERVING = "atectl.batch.cells.serving"
"""The module that a cell runs."""

MAX_CODES = 128
"""The most capsules of which a cell keeps the code mapped; the oldest goes first."""

THREADS_OF_LINE = 2
"""How many threads a line has at most: its own, and one for what is not confined as that is."""

FILES_OF_CELL = 16
"""How many descriptors a cell takes for itself, and its engine for calls that wait."""

FILES_OF_CODE = 2
"""How many descriptors each of them takes: the engine keeps its file open, and so do its images."""


class CellSettings(NamedTuple):
    """How many descriptors a cell may ever have open, how many idle stores it keeps for each
    reactor, and how much of each output of a job; see `outputs.LineOutputs`."""

    max_fds: int
    pool: int
    capture_bytes: int | None = None

    def as_text(self) -> str:
        """One line of text."""
        return json.dumps(self)

    @classmethod
    def read(cls, told: str) -> "CellSettings":
        """The settings that `as_text` was given."""
        return cls(*json.loads(told))
