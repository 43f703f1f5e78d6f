"""How much memory loading may take where nobody says."""

from atectl.load.plan import AVAILABLE_SHARE, Plan
from atectl.system.memory import host_memory


def test_a_limit_that_is_said_holds() -> None:
    assert Plan(limit_bytes=12345).settled_limit_bytes() == 12345


def test_without_one_a_share_of_what_is_available_is_taken() -> None:
    settled, memory = Plan().settled_limit_bytes(), host_memory()
    assert 0 < settled <= memory.limit_bytes * AVAILABLE_SHARE
