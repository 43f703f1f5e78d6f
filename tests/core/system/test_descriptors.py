"""A process may have as many files open as the system lets it."""

import pytest

from tests.support.python_child import in_child

RAISES = """
import resource
from atectl.system.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (20, {hard}))
raise_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize("hard", [80, 1024, 4096])
def test_the_limit_is_raised_to_the_highest(hard: int) -> None:
    assert in_child(RAISES.format(hard=hard)).split() == [str(hard)]


MOST = """
import resource
from atectl.system.descriptors import most
resource.setrlimit(resource.RLIMIT_NOFILE, (20, {hard}))
print(most())
"""


@pytest.mark.parametrize("hard", [80, 4096])
def test_the_most_is_what_the_limit_can_be_raised_to(hard: int) -> None:
    assert in_child(MOST.format(hard=hard)).split() == [str(hard)]
