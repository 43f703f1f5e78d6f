"""The line that closes a batch."""

import pytest

from atectl.commands.batch.running import closing_line
from atectl.commands.batch.tally import Tally

MIB = 1 << 20


@pytest.mark.parametrize(
    ("spills", "words"),
    [(1, "1 spill of 40 MiB,"), (2, "2 spills of 40 MiB together,")],
)
def test_spills_are_counted_in_singular_and_plural(spills: int, words: str) -> None:
    tally = Tally(0)
    tally.spills, tally.spilled_bytes = spills, 40 * MIB
    assert words in closing_line(tally, 1.0)
