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

from atectl.batch.fleet.address import NO_TLS, TlsFiles, scheduler_address
from atectl.batch.fleet.facts import HostEntry
from atectl.batch.fleet.listing import hosts_of
from tests.conftest import CAPSULES
from tests.support.ports import free_port
from tests.support.program import ATECTL, Ended
from tests.support.waiting import wait_until

DASK = str(Path(sys.executable).parent / "dask")
HELLO = {"capsule": str(CAPSULES / "hello.wat")}
SLEEP = {"capsule": str(CAPSULES / "sleep.wat"), "deadline": "100s"}
"""A job that takes no CPU time, until it is ended."""

_LOOK_S = 0.2


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
        tls: the files of TLS, `ca`, `cert` and `key`.
        listen: where the scheduler listens.
        known_as: the address at which others reach it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: Mapping[str, Path] | None = None,
        listen: str = "127.0.0.1",
        known_as: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._tls = tls or {}
        protocol = "tls" if tls else "tcp"
        self._listen = f"{protocol}://{listen}:{self.port}"
        self.address = f"{protocol}://{known_as}:{self.port}"
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
    def scheduler_pid(self) -> int:
        assert self._scheduler is not None
        return self._scheduler.pid

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
                    *(DASK, "scheduler", "--host", self._listen, "--no-dashboard", *tls),
                    *("--dashboard-address", "127.0.0.1:0"),
                ],
                stdout=file, stderr=file, cwd=self.folder,
            )  # fmt: skip
        place = self._listen.partition("://")[2].rpartition(":")[0]
        wait_until(lambda: _listens(place, self.port))

    def kill_scheduler(self) -> None:
        if self._scheduler is not None:
            self._scheduler.kill()
            self._scheduler.wait(30)
            self._scheduler = None

    def begin(
        self,
        name: str,
        *words: str,
        limit: str = "512MiB",
        jobs: int = 2,
        before: Iterable[str] = (),
        address: str | None = None,
    ) -> Host:
        """Start a host; `before` are the words of a program that runs it."""
        home, log = self.folder / name, self.folder / f"{name}.log"
        home.mkdir(exist_ok=True)
        environment = {**os.environ, "XDG_STATE_HOME": str(home)}
        with log.open("ab") as file:
            process = subprocess.Popen(
                [
                    *before,
                    *(ATECTL, "host", "join", address or self.address, "--host-name", name),
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

    def batch(
        self, jobs: Iterable[Mapping[str, Any]], *words: str, before: Iterable[str] = ()
    ) -> "Submitted":
        """Begin a batch on the hosts; `before` are the words of a program that runs it."""
        number = len(list(self.folder.glob("results-*")))
        results, errors = self.folder / f"results-{number}", self.folder / f"errors-{number}"
        lines = self.folder / f"jobs-{number}"
        lines.write_text("".join(json.dumps(job) + "\n" for job in jobs))
        with lines.open() as stdin, results.open("ab") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*before, ATECTL, "batch", "-", "--on", self.address, *self.tls_words, *words],
                stdin=stdin, stdout=stdout, stderr=stderr,
            )  # fmt: skip
        return Submitted(process, results, errors)

    def ls(self) -> dict[str, HostEntry]:
        """The hosts by their names. What they tell of themselves is a second old at most."""
        names = ("ca", "cert", "key")
        tls = TlsFiles(*(str(self._tls[name]) for name in names)) if self._tls else NO_TLS
        address = scheduler_address(self.address, tls, insecure=True)
        return {entry.host: entry for entry in hosts_of(address).hosts}

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


def _listens(place: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((place, port)) == 0


def certificates(folder: Path) -> dict[str, Path]:
    """The files of TLS for this machine, by an authority of their own."""
    import trustme

    folder.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    certificate.private_key_pem.write_to_path(str(files["key"]))
    certificate.cert_chain_pems[0].write_to_path(str(files["cert"]))
    return files


@contextmanager
def fleet(**options: Any) -> Iterator[Fleet]:
    """A scheduler without hosts, in a folder of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        yield stack.enter_context(Fleet(folder, **options))
