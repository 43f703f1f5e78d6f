"""A process may have as many files open as the system lets it, and keeps the last for itself."""

import pytest

from tests.support.python_child import in_child

FILLS_UP = """
import os, resource
from atectl.system.descriptors import raise_limit, reserve
resource.setrlimit(resource.RLIMIT_NOFILE, (20, {hard}))
raise_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
def fill_up():
    try:
        while True:
            os.dup(0)
    except OSError as error:
        print(error.strerror)
fill_up()
with reserve(), reserve():
    print(os.dup(0))
fill_up()
"""


@pytest.mark.parametrize(("hard", "soft"), [(80, 70), (1024, 960), (4096, 4032)])
def test_the_last_descriptors_are_for_the_host_alone(hard: int, soft: int) -> None:
    full = "Too many open files"
    assert in_child(FILLS_UP.format(hard=hard)).splitlines() == [str(soft), full, str(soft), full]
