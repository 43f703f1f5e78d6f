"""What a user is told where another Python cannot be started."""

import errno
import os

import pytest

from atectl.system.errors import not_started


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EACCES, "be able to execute that file"), (errno.EAGAIN, "free memory, descriptors")],
)
def test_the_remedy_is_of_the_file_or_of_the_machine(number: int, remedy: str) -> None:
    assert remedy in not_started(OSError(number, os.strerror(number))).remedy
