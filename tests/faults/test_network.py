"""Sockets are denied to a component, and so is name lookup: the walls of the engine, tried out."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.processes import wasmtime_binary
from tests.support.ports import free_port
from tests.support.program import atectl
from tests.support.sockets import binding, connecting_to, looking_up

ALLOWED = ("-S", "inherit-network", "-S", "tcp=y", "-S", "allow-ip-name-lookup")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def has_caller(listening: socket.socket) -> bool:
    """Whether somebody has connected to it."""
    listening.setblocking(False)
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def by_wasmtime(component: Path) -> int:
    command = [wasmtime_binary(), "run", *ALLOWED, str(component)]
    return subprocess.run(command, timeout=60).returncode


def test_a_component_cannot_connect(listener: socket.socket, tmp_path: Path) -> None:
    component = tmp_path / "connects.wat"
    component.write_text(connecting_to(port_of(listener)))
    assert atectl("run", component).status == 1
    assert not has_caller(listener)
    assert by_wasmtime(component) == 0
    assert has_caller(listener)


@pytest.mark.parametrize("does", ["bind", "look up"])
def test_a_component_can_neither_listen_nor_look_up_names(does: str, tmp_path: Path) -> None:
    component = tmp_path / "component.wat"
    component.write_text(binding(free_port()) if does == "bind" else looking_up())
    assert atectl("run", component).status == 1
    assert by_wasmtime(component) == 0


@pytest.mark.parametrize("option", ["--net", "--dns", "--network", "-S"])
def test_who_asks_for_the_network_is_told_why_there_is_none(option: str) -> None:
    asked = atectl("run", option, "inherit-network", "x.wasm")
    assert asked.status == 2
    assert "a guest gets no sockets" in asked.stderr
