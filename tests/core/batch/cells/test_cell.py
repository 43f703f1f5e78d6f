"""A cell as its host knows it: real processes, forked as a batch has them forked."""

import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from atectl.batch.cells.cell import Cell
from atectl.batch.cells.cells import SERVING
from atectl.batch.cells.errors import CellLost, CellOutOfMemory
from atectl.batch.cells.outputs import FILES_OF_LINE
from atectl.batch.cells.settings import FILES_OF_CODE, MAX_CODES, CellSettings
from atectl.batch.cells.wire import Malformed
from atectl.capsule.compiler import Compiler, Server
from atectl.engine.metered import Engine
from atectl.system import descriptors
from atectl.system.held import Held
from atectl.system.walls.amounts import DEFAULT_MAX_FDS
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.waiting import wait_until

MIB = 1 << 20


@pytest.fixture
def cell(engine: Engine) -> Iterator[Cell]:
    with Compiler(engine) as compiler:
        cell = Cell(
            compiler.fork_server(SERVING, CellSettings(64, 0).as_text()), "blue", Held(0, 0)
        )
        yield cell
        cell.close()


def limit_of(cell: Cell) -> int:
    return resource.prlimit(cell.pid, resource.RLIMIT_DATA)[0]


def test_the_kernels_limit_follows_the_quotas_of_what_runs(cell: Cell) -> None:
    cell.running[1] = 64 * MIB
    cell.hold_to_quotas()
    before = limit_of(cell)
    cell.running[2] = 32 * MIB
    cell.hold_to_quotas()
    assert limit_of(cell) - before == 32 * MIB


def files_of(cell: Cell) -> int:
    return resource.prlimit(cell.pid, resource.RLIMIT_NOFILE)[0]


def test_code_and_lines_take_no_descriptors_of_its_guests(engine: Engine) -> None:
    most = DEFAULT_MAX_FDS + 1000
    with Compiler(engine) as compiler:
        server = compiler.fork_server(SERVING, CellSettings(most, 0).as_text())
        cell = Cell(server, "blue", Held(0, 0))
        cell.hold_to_quotas()
        before = files_of(cell)
        assert DEFAULT_MAX_FDS < before < DEFAULT_MAX_FDS + 32
        for _ in range(2):
            cell.hand_code("5f")
            assert cell.has_code("5f")
            assert files_of(cell) == before + FILES_OF_CODE
        for number in range(2 * MAX_CODES):  # of which it keeps so many, whoever asks for more
            cell.hand_code(f"{number}")
        with_code = before + FILES_OF_CODE * (MAX_CODES + 1)
        assert files_of(cell) == with_code
        cell.every_line.append(cell.new_line())  # type: ignore[arg-type]
        cell.hold_to_quotas()
        assert files_of(cell) == with_code + FILES_OF_LINE
        cell.close()


def test_it_may_have_as_many_descriptors_as_it_was_told(engine: Engine) -> None:
    # The process that forks it has itself no more than a few thousand.
    told = min(descriptors.most(), 6000)
    with Compiler(engine) as compiler:
        server = compiler.fork_server(SERVING, CellSettings(told, 0).as_text())
        cell = Cell(server, "blue", Held(0, 0), guest_files=6000)
        wait_until(lambda: cell.ask({"do": "read"}) is not None)
        cell.hold_to_quotas()
        assert resource.prlimit(cell.pid, resource.RLIMIT_NOFILE) == (told, told)
        cell.close()


def test_one_that_does_not_answer_is_not_asked_again_for_a_while(cell: Cell) -> None:
    wait_until(lambda: cell.ask({"do": "read"}) is not None)
    os.kill(cell.pid, signal.SIGSTOP)
    assert cell.ask({"do": "read"}) is None
    os.kill(cell.pid, signal.SIGCONT)
    assert cell.ask({"do": "read"}) is None


@pytest.mark.parametrize(("number", "error"), [(9, CellOutOfMemory), (6, CellLost)])
def test_how_it_ended_is_told(cell: Cell, number: int, error: type[Exception]) -> None:
    wait_until(lambda: cell.ask({"do": "read"}) is not None)
    os.kill(cell.pid, number)
    wait_until(lambda: cell.has_ended)
    assert type(cell.why_lost()) is error


def test_it_is_killed_once_only_what_was_given_up_runs_in_it(cell: Cell) -> None:
    cell.running |= {1: MIB, 2: MIB}
    cell.given_up.add(1)
    cell.kill_if_given_up()
    assert not cell.is_doomed
    cell.given_up.add(2)
    cell.kill_if_given_up()
    wait_until(lambda: cell.has_ended)


def test_a_store_may_be_dropped_before_its_host_hears_that_it_was_kept(cell: Cell) -> None:
    cell.running[1] = 8 * MIB
    assert cell.change_idle(0, 5 * MIB) == 5 * MIB
    assert cell.change_idle(5 * MIB) == 0
    assert cell.idle_bytes == 0


def test_more_than_it_can_have_held_is_malformed(cell: Cell) -> None:
    cell.change_idle(5 * MIB)
    with pytest.raises(Malformed):
        cell.change_idle(0, 5 * MIB + 1)
    with pytest.raises(Malformed):
        cell.begin_in_idle(5 * MIB + 1)
    assert cell.begin_in_idle(5 * MIB) == 5 * MIB


# A cell that is a test


@pytest.fixture
def spoken() -> Iterator[tuple[Cell, socket.socket]]:
    """A cell whose process only sleeps, and the other end of its control stream."""
    process = subprocess.Popen(["sleep", "1000"])
    told, tells = os.pipe()
    os.write(tells, b"pid %d\n" % process.pid)
    ours, its = socket.socketpair()
    cell = Cell(Server(ours, told), "bad", Held(0, 0))
    with its:
        yield cell, its
    cell.close()
    os.close(tells)
    process.wait()


def framed(content: bytes, descriptors: int = 0) -> bytes:
    return len(content).to_bytes(4, "big") + bytes([descriptors]) + content


def test_an_answer_that_is_late_is_an_answer(spoken: tuple[Cell, socket.socket]) -> None:
    cell, its = spoken
    assert cell.readings() is None
    its.sendall(framed(b'{"answer":1,"leases":{"7":[]}}'))
    assert cell.readings() == {"7": []}
    assert not cell.misbehaved


@pytest.mark.parametrize(
    "answers",
    [
        [b'{"answer":1}', b'{"answer":1}'],
        [b'{"answer":2}'],
        [b'{"answer":"1"}'],
        [b'{"answer":null}'],
        [b"{}"],
    ],
)
def test_what_answers_no_question_is_not_heard(
    spoken: tuple[Cell, socket.socket], answers: list[bytes]
) -> None:
    cell, its = spoken
    cell.readings()
    for each in answers:
        its.sendall(framed(each))
    cell.readings()
    assert cell.misbehaved


def test_no_descriptor_comes_from_a_cell(spoken: tuple[Cell, socket.socket]) -> None:
    cell, its = spoken
    cell.readings()
    before = open_descriptors()
    socket.send_fds(its, [framed(b'{"answer":1}', 1)], [0])
    cell.readings()
    assert cell.misbehaved
    assert opened_since(before) == []


def test_an_answer_that_never_comes_to_its_end_is_not_waited_for(
    spoken: tuple[Cell, socket.socket],
) -> None:
    cell, its = spoken
    is_over = threading.Event()

    def dribble() -> None:
        its.sendall((1 << 20).to_bytes(4, "big") + b"\0")
        for _ in range(600):
            if is_over.wait(0.1):
                return
            its.sendall(b" ")

    thread = threading.Thread(target=dribble)
    thread.start()
    assert cell.ask({"do": "trim"}) is None
    assert thread.is_alive()
    is_over.set()
    thread.join()


def test_nobody_waits_for_one_that_reads_nothing(spoken: tuple[Cell, socket.socket]) -> None:
    cell, its = spoken
    for _ in range(5000):  # many more than there is room for
        cell.tick()
        cell.end(1)
    its.setblocking(False)
    assert its.recv(100).startswith(framed(b'{"do":"tick"}'))
