"""The hosts of a fleet, and a batch on them, as they look at several widths."""

import pytest

from atectl.batch.fleet.facts import HostEntry, HostList
from atectl.batch.fleet.submitting import FleetOverview, HostRow
from atectl.commands.batch.hosts_look import HostsLook
from atectl.commands.batch.hosts_view import HostsScreen
from atectl.commands.host.view import hosts_view
from tests.support.golden import WIDTHS, assert_looks_like, drawn

MIB = 1 << 20

LISTED = HostList(
    (
        HostEntry("east-1", "tcp://10.0.0.1:40001", 4, 4, 120, 51_234, 900 * MIB, 1024 * MIB,
                  200 * MIB, False, ("data", "logs"), 0.25),
        HostEntry("west\x1b[31m", "tcp://10.0.0.2:40001", 8, 0, 0, 7, 2000 * MIB, 1024 * MIB,
                  0, True, (), 75.0),
    )
)  # fmt: skip

RUNNING = HostsLook(
    FleetOverview(
        (
            HostRow("east-1", 4, 124, 51_234, False),
            HostRow("west-1", 8, 3, 7, True),
            HostRow("west-2", 8, 0, 0, False),
        ),
        900,
    ),
    done=51_200, failed=41, left=None, elapsed_s=63.0, is_stopping=False,
)  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_the_hosts_of_a_scheduler(width: int) -> None:
    assert_looks_like(f"hosts-{width}", drawn(hosts_view(LISTED), width))


def test_names_of_hosts_are_inert() -> None:
    assert "\x1b" not in drawn(hosts_view(LISTED), 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_batch_on_hosts(width: int) -> None:
    assert_looks_like(f"batch-on-hosts-{width}", drawn(HostsScreen(RUNNING, 12), width))


def test_a_batch_that_ends_says_so() -> None:
    look = RUNNING._replace(is_stopping=True, left=5)
    assert "5 left" in drawn(HostsScreen(look, 12), 120)
    assert "stopping" in drawn(HostsScreen(look, 12), 120)


@pytest.mark.parametrize("height", range(8))
def test_it_has_no_more_lines_than_there_is_room_for(height: int) -> None:
    lines = drawn(HostsScreen(RUNNING, height), 80).splitlines()
    assert len(lines) <= height
    if height == 4:
        assert "and 2 more hosts" in lines[-1]


def test_where_there_is_no_host_that_is_said() -> None:
    look = RUNNING._replace(overview=FleetOverview((), 3))
    assert "no host is there" in drawn(HostsScreen(look, 12), 80)
