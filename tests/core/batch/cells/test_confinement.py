"""Which files the threads of a cell can open, behind the kernel's Landlock: real threads."""

import json
from pathlib import Path
from typing import Any

import pytest

from atectl.system.walls import folders
from tests.support.walled import result_of

DENIED = "Permission denied"

pytestmark = pytest.mark.skipif(folders._version() < 2, reason="no Landlock that can be used")

CELL = """
import socket, sys, threading
from atectl.accounting import Principal, Quota
from atectl.batch.cells import serving
from atectl.batch.cells.orders import told_capsule, told_terms
from atectl.batch.cells.settings import CellSettings
from atectl.batch.cells.wire import Wire
from atectl.capsule.creation import Creation
from atectl.capsule.loading import Capsule
from atectl.capsule.task import CONTROL
from atectl.engine.metered import Engine
from atectl.engine.wasi import Folder, OpenStream, WasiSettings
from atectl.lease.outcome import exited
from atectl.lease.terms import Terms
from atectl.accounting import Reading

class Breakout:
    '''Stands in for a lease whose guest has broken out of the engine.'''
    cpu_s, fuel = 0.0, 0
    def __init__(self, *_): pass
    def read(self): return Reading(0, 0, 0, 0, 0, 0.0)
    def run(self, around_guest=None):
        opened_before = tried(lambda: open(place + '/other/file'))
        if around_guest is not None:
            around_guest()
        import zipapp  # which nobody has imported before
        self.outcome = exited(0, (
            opened_before,
            tried(lambda: open(place + '/other/file')),
            tried(lambda: open(place + '/used/new', 'w')),
        ))

process.gain_no_privileges()
serving.Lease = Breakout
cell = serving._Cell(Engine(), CellSettings(64, 0))
cell._codes["5f"] = (None, None)
ours, its = socket.socketpair()
os.dup2(its.fileno(), CONTROL)
line, of_cell = socket.socketpair()

def run_leases():
    Wire(ours).send({"do": "line"}, (of_cell.fileno(),))
    wire = Wire(line)
    for folders, files in leases:
        granted = tuple(Folder(path, "/", read_only=False) for path in folders)
        streams = [OpenStream("stdin", path, os.open(path, os.O_RDONLY)) for path in files]
        terms = Terms(Principal("blue"), Quota(1 << 20), WasiSettings(("x",), folders=granted))
        capsule = Capsule("x.wasm", "module", "5f", Creation(), False, True)
        order = {"job": 1, "priority": 0, "capsule": told_capsule(capsule), "credit": 0,
                 "terms": told_terms(terms, streams)}
        wire.send(order, [each.descriptor for each in streams])
        found.append(wire.receive().content["outcome"]["results"])
    ours.shutdown(socket.SHUT_RDWR)

found = []
threading.Thread(target=run_leases, daemon=True).start()
try:
    cell.serve(Wire(socket.socket(fileno=CONTROL)))
except serving.Gone:
    pass
result = found
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("used", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    return tmp_path


def in_cell(place: Path, *leases: tuple[list[str], list[str]]) -> Any:
    """What each lease on one line could do: open another's file before and behind the walls, and
    write to the folder `used`."""
    named = json.dumps(
        [[[str(place / each) for each in names] for names in lease] for lease in leases]
    )
    return result_of(f"place, leases = {json.dumps(str(place))}, {named}\n{CELL}")


def test_a_guest_that_was_granted_nothing_opens_nothing(place: Path) -> None:
    assert in_cell(place, ([], []), ([], [])) == [[DENIED] * 3] * 2


def test_what_was_granted_is_opened_before_and_alone_afterwards(place: Path) -> None:
    assert in_cell(place, (["used"], [])) == [["done", DENIED, "done"]]


def test_a_guest_with_a_stream_alone_opens_nothing_afterwards(place: Path) -> None:
    assert in_cell(place, ([], ["other/file"])) == [["done", DENIED, DENIED]]


def test_a_lease_has_nothing_of_what_one_before_was_granted(place: Path) -> None:
    found = in_cell(place, (["used"], []), ([], []), (["other"], []), (["used"], []))
    assert found[1] == [DENIED] * 3
    assert found[2] == ["done", "done", DENIED]
    assert found[3] == ["done", DENIED, "done"]
