"""`atectl load` on a real pseudo-terminal, while it is on its way."""

import os
from pathlib import Path

from tests.support.bombs import slow_loops
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen


def test_quit_by_ctrl_backslash_it_takes_the_line_of_its_progress_away(tmp_path: Path) -> None:
    slow = tmp_path / "slow.wat"
    slow.write_text(slow_loops(6000, 50))
    words = ["sh", "-c", 'ulimit -c 0; exec "$0" load "$1"', ATECTL, str(slow)]
    with PtyScreen(words, dict(os.environ)) as screen:
        screen.until_shown("loading ")
        screen.send("\x1c")
        assert screen.end() == 131
        assert screen.text.strip() == ""
