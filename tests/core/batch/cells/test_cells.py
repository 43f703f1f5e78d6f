"""Which lease runs in which cell, and when: real processes, forked as a batch has them forked."""

import time
from collections.abc import Iterator

import pytest

from atectl.batch.cells.cell import Cell
from atectl.batch.cells.cells import Cells
from atectl.batch.cells.host_line import HostLine
from atectl.batch.cells.settings import CellSettings
from atectl.batch.loop import Loop
from atectl.batch.settings import Isolation
from atectl.capsule.compiler import Compiler
from atectl.engine.metered import Engine
from atectl.errors import AtectlError

PATIENCE_S = 20


class Entrant:
    """A lease that waits for a line in a cell."""

    quota_bytes = 1 << 20

    def __init__(self, number: int) -> None:
        self.principal = "blue"
        self.number = number
        self.cell: Cell | None = None

    def enter(self, cell: Cell, line: HostLine) -> None:
        self.cell = cell

    def turn_away(self, error: AtectlError) -> None:
        raise AssertionError(error)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("isolation", ["none", "principal"])
def test_who_came_while_the_only_cell_was_made_runs_beside_who_it_was_made_for(
    engine: Engine, loop: Loop, isolation: Isolation
) -> None:
    entrants = [Entrant(number) for number in range(1, 4)]
    until_s = time.monotonic() + PATIENCE_S
    with Compiler(engine) as compiler:
        cells = Cells(
            compiler,
            loop,
            most=1,
            most_lines=8,
            settings=CellSettings(64, 0),
            forget_idle=lambda _: None,
            expect=lambda _more, _one: None,
            isolation=isolation,
            guest_files=64,
        )
        for each in entrants:
            cells.enter(each)
        loop.call_at(until_s, lambda: None)
        loop.run(lambda: not all(each.cell for each in entrants) and time.monotonic() < until_s)
        entered = [each.cell for each in entrants]
        cells.close()
    assert None not in entered
    assert len(set(entered)) == 1
