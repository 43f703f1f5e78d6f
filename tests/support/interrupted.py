"""The program, interrupted as by Ctrl-C at a certain place: `python -m tests.support.interrupted`.

The words are the place, a number, and those of the command line. The place is `lines`, where the
signal comes at so many lines of atectl that the main thread comes to; or `imports`, where it comes
in the callback that Python calls at the end of so many imports. Nothing that is raised in such a
callback reaches anybody. Counting begins when the program has taken care of Ctrl-C, which it does
before it imports anything of its own.
"""

import runpy
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = str(Path(__file__).parents[2])
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


class _Interruption:
    """Traces what the main thread does until the signal is sent."""

    def __init__(self, place: str, number: int) -> None:
        self._place = place
        self._left = number
        self._is_begun = False

    def trace(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """Called with each function that is entered."""
        code = frame.f_code
        if self._place == "imports":
            if code.co_filename == _IMPORT_SYSTEM and code.co_name == "cb":
                self._count()
            return None
        return self._trace_lines if code.co_filename.startswith(ROOT) else None

    def _trace_lines(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._count()
        return self._trace_lines

    def _count(self) -> None:
        # Nothing of the program is there before, and Python's handler would speak for it.
        self._is_begun |= signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        self._left -= self._is_begun
        if self._left == 0:
            signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    place, number, *words = sys.argv[1:]
    sys.argv[1:] = words
    sys.settrace(_Interruption(place, int(number)).trace)
    runpy.run_module("atectl", run_name="__main__")
