"""What a cell tells its host of the leases that run in it."""

import os
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from atectl.batch.cells.orders import read_error
from atectl.batch.cells.serving import _Cell
from atectl.batch.cells.settings import CellSettings
from atectl.batch.cells.wire import Gone, Wire
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


def test_a_line_for_which_there_is_no_thread_turns_its_lease_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)
    ours, its = socket.socketpair()
    host, (reader, writer) = Wire(ours), os.pipe()
    host.send({"job": 1, "terms": {}}, (reader,))
    control: Any = SimpleNamespace()
    _Cell(engine, CellSettings(64, 0)).obey(control, {"do": "line"}, (its.detach(),))
    assert read_error(host.receive().content["failed"]).code == "E704"
    with pytest.raises(Gone):
        host.receive()
    host.close()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")  # nobody has the other end any more
    os.close(writer)
