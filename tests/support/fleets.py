"""Fleets of real processes: a scheduler of Dask, and hosts that join it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from atectl.batch.fleet.address import scheduler_address
from atectl.batch.fleet.facts import HostEntry
from atectl.batch.fleet.listing import hosts_of
from tests.conftest import CAPSULES
from tests.support.program import ATECTL, Ended
from tests.support.waiting import wait_until

DASK = str(Path(sys.executable).parent / "dask")
HELLO = {"capsule": str(CAPSULES / "hello.wat")}
SLEEP = {"capsule": str(CAPSULES / "sleep.wat"), "deadline": "100s"}
"""A job that takes no CPU time, until it is ended."""

_LOOK_S = 0.2


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Host:
    """A process of `atectl host join`."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def said(self) -> str:
        return self.log.read_text()


class Fleet:
    """A scheduler, and the hosts that joined it. To be used with `with`.

    Args:
        folder: for the homes and the logs.
        scheduler_words: more words for `dask scheduler`.
    """

    def __init__(self, folder: Path, *, tls: Mapping[str, Path] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self._tls = tls or {}
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self.hosts: dict[str, Host] = {}
        self._scheduler: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Fleet":
        self.start_scheduler()
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts.values():
            host.signal(signal.SIGCONT)
            host.kill()
        self.kill_scheduler()

    @property
    def tls_words(self) -> list[str]:
        """The options of a submitter or a host for TLS."""
        return [word for name, path in self._tls.items() for word in (f"--tls-{name}", str(path))]

    def start_scheduler(self) -> None:
        names = {"ca": "--tls-ca-file", "cert": "--tls-cert", "key": "--tls-key"}
        tls = [word for name, path in self._tls.items() for word in (names[name], str(path))]
        log = self.folder / "scheduler.log"
        with log.open("ab") as file:
            self._scheduler = subprocess.Popen(
                [
                    *(DASK, "scheduler", "--host", self.address, "--no-dashboard", *tls),
                    *("--dashboard-address", "127.0.0.1:0"),
                ],
                stdout=file, stderr=file, cwd=self.folder,
            )  # fmt: skip
        wait_until(lambda: _listens(self.port))

    def kill_scheduler(self) -> None:
        if self._scheduler is not None:
            self._scheduler.kill()
            self._scheduler.wait(30)
            self._scheduler = None

    def begin(self, name: str, *words: str, limit: str = "512MiB", jobs: int = 2) -> Host:
        """Start a host."""
        home, log = self.folder / name, self.folder / f"{name}.log"
        home.mkdir(exist_ok=True)
        environment = {**os.environ, "XDG_STATE_HOME": str(home)}
        with log.open("ab") as file:
            process = subprocess.Popen(
                [
                    *(ATECTL, "host", "join", self.address, "--host-name", name),
                    *("--limit", limit, "--jobs", str(jobs), *self.tls_words, *words),
                ],
                stdout=file, stderr=file, env=environment,
            )  # fmt: skip
        host = self.hosts[name] = Host(name, process, log)
        return host

    def join(self, *names: str, words: Iterable[str] = (), **options: Any) -> list[Host]:
        """Start hosts, and wait until they have joined."""
        hosts = [self.begin(name, "--ledger", "none", *words, **options) for name in names]
        for host in hosts:
            wait_until(lambda: "joined" in host.said() or host.process.poll() is not None)  # noqa: B023
            assert host.process.poll() is None, host.said()
        return hosts

    def batch(self, jobs: Iterable[Mapping[str, Any]], *words: str) -> "Submitted":
        """Begin a batch on the hosts."""
        number = len(list(self.folder.glob("results-*")))
        results, errors = self.folder / f"results-{number}", self.folder / f"errors-{number}"
        lines = self.folder / f"jobs-{number}"
        lines.write_text("".join(json.dumps(job) + "\n" for job in jobs))
        with lines.open() as stdin, results.open("ab") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [ATECTL, "batch", "-", "--on", self.address, *self.tls_words, *words],
                stdin=stdin, stdout=stdout, stderr=stderr,
            )  # fmt: skip
        return Submitted(process, results, errors)

    def ls(self) -> dict[str, HostEntry]:
        """The hosts by their names. What they tell of themselves is a second old at most."""
        return {entry.host: entry for entry in hosts_of(scheduler_address(self.address)).hosts}

    def wait_for(self, holds: Callable[[dict[str, HostEntry]], object]) -> None:
        """Look at the hosts until something holds of them."""

        def is_so() -> bool:
            if holds(self.ls()):
                return True
            time.sleep(_LOOK_S)
            return False

        wait_until(is_so)

    def wait_until_full(self, *names: str) -> None:
        """Wait until these hosts run as many jobs as they can."""
        self.wait_for(
            lambda hosts: all(n in hosts and hosts[n].running >= hosts[n].jobs for n in names)
        )

    def wait_until_idle(self, *names: str) -> None:
        """Wait until these hosts have no job."""
        self.wait_for(
            lambda hosts: all(n in hosts and not hosts[n].running + hosts[n].waiting for n in names)
        )


class Submitted(NamedTuple):
    """A batch that was begun on a fleet."""

    process: "subprocess.Popen[bytes]"
    stdout: Path
    stderr: Path

    def results(self) -> list[dict[str, Any]]:
        """The results so far."""
        return [json.loads(line) for line in self.stdout.read_bytes().split(b"\n")[:-1]]

    def end(self) -> Ended:
        """Wait until it has ended."""
        status = self.process.wait(120)
        return Ended(status, self.stdout.read_text(), self.stderr.read_text())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def fleet(**options: Any) -> Iterator[Fleet]:
    """A scheduler without hosts, in a folder of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        yield stack.enter_context(Fleet(folder, **options))
