"""What a cell tells its host of the leases that run in it."""

from types import SimpleNamespace
from typing import Any

from atectl.batch.cells.serving import _Cell
from atectl.batch.cells.settings import CellSettings
from atectl.engine.metered import Engine


def test_of_a_lease_what_is_in_no_file_is_measured(engine: Engine) -> None:
    # The host counts the same of the cell's process: else clean pages would seem to be beside it.
    told: list[dict[str, Any]] = []
    control: Any = SimpleNamespace(send=told.append)
    lease: Any = SimpleNamespace(own_bytes=lambda: 5, resident_bytes=lambda: 9)
    cell = _Cell(engine, CellSettings(64, 0))
    cell._leases[7] = lease
    cell.obey(control, {"do": "measure", "job": 7, "ask": 1}, ())
    assert told == [{"answer": 1, "resident": 5}]
