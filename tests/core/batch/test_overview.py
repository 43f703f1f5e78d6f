"""In which state a lease is shown."""

from types import SimpleNamespace
from typing import Any

import pytest

from atectl.arbitration.seat import Ruling
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action
from atectl.batch.overview import RESUMING_S, lease_row
from tests.support.lease_records import make_lease

SPILL = Ruling(8.0, Action.SPILL, 1, 40, 40, 0, "spilled")
FAILED_SPILL = SPILL._replace(reason="failed: no space left", freed_bytes=0)
GRANT = Ruling(10.0, Action.GRANT, 1, 8, None, 0, "below soft")
RESUME = GRANT._replace(action=Action.RESUME)
PARK = GRANT._replace(action=Action.PARK)


RUNS = Standing(1, 0, 40)


def state_of(*rulings: Ruling, now_s: float = 10.5, standing: Standing = RUNS) -> str:
    """The state of a lease that stands so, after these rulings."""
    lease: Any = SimpleNamespace(
        seat=SimpleNamespace(standing=standing, rulings=rulings),
        is_ending=False,
        wall_s=1.0,
        resident_bytes=lambda: None,
    )
    return lease_row(1, lease, make_lease(), now_s).state


@pytest.mark.parametrize("ruling", [GRANT, RESUME])
def test_a_lease_that_was_let_go_on_from_disk_is_resuming_for_a_while(ruling: Ruling) -> None:
    assert state_of(SPILL, ruling) == "resuming"
    assert state_of(SPILL, ruling, now_s=ruling.at_s + RESUMING_S) == "running"


@pytest.mark.parametrize("before", [(), (PARK,), (FAILED_SPILL,), (SPILL, GRANT)])
def test_a_lease_that_was_not_on_disk_is_not_resuming(before: tuple[Ruling, ...]) -> None:
    assert state_of(*before, GRANT) == "running"


def test_a_lease_that_is_parked_again_is_parked() -> None:
    assert state_of(SPILL, GRANT, standing=RUNS.park().reach_tick()) == "parked"


def test_a_lease_held_in_its_growth_request_is_waiting() -> None:
    assert state_of(standing=RUNS.ask(8).park()) == "waiting"
