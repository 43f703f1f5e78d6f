"""`atectl host` as its users run it, and `atectl batch --on` with what hosts have."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.fleets import HELLO, SLEEP, Fleet, certificates, fleet
from tests.support.ports import free_port
from tests.support.program import atectl
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("fleet")]
pytest.importorskip("distributed")

ARGS = str(CAPSULES / "args.wat")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "in.txt").write_text("from the share\n")
    return folder


@pytest.fixture(scope="module")
def east(shared: Path) -> Iterator[Fleet]:
    """A fleet of one host, that the tests share."""
    with fleet() as found:
        found.join("east", limit="512MiB", words=["--share", f"data={shared}"])
        yield found


def run(east: Fleet, *jobs: dict[str, Any], words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The results of these jobs, in their order."""
    batch = east.batch(jobs, *words)
    batch.end()
    return sorted(batch.results(), key=lambda result: int(result["job"]))


def test_a_host_is_listed_with_how_it_fares(east: Fleet) -> None:
    ended = atectl("host", "ls", "--on", east.address)
    assert ended.status == 0
    head, row, *_ = ended.stdout.splitlines()
    assert head.split()[:3] == ["HOST", "RUNNING", "JOBS"]
    assert row.split()[:3] == ["east", "0", "2"]
    assert "of 512 MiB" in row
    assert "1 host, 0 jobs running" in ended.stdout


def test_a_scheduler_without_hosts_lists_none() -> None:
    with fleet() as found:
        ended = atectl("host", "ls", "--on", found.address)
    assert (ended.status, ended.stdout) == (0, "no host has joined\n")


def test_a_result_says_where_it_ran_and_how_long_it_waited(east: Fleet) -> None:
    [result] = run(east, HELLO)
    assert (result["reason"], result["host"], result["attempt"]) == ("exited", "east", 1)
    assert result["queued_s"] >= 0
    assert result["capsule"] == HELLO["capsule"]


def test_a_host_process_has_no_engine_in_it(east: Fleet) -> None:
    run(east, HELLO)
    maps = Path(f"/proc/{east.hosts['east'].process.pid}/maps").read_text()
    assert "_sha2" in maps or "python" in maps
    assert "wasmtime" not in maps


def test_a_capsule_travels_by_content_and_can_then_be_named_by_it(east: Fleet) -> None:
    [first] = run(east, HELLO)
    [second] = run(east, {"capsule": f"sha256:{first['sha256']}"})
    assert (second["reason"], second["sha256"]) == ("exited", first["sha256"])


def test_a_content_that_no_host_has_is_refused_in_time(east: Fleet) -> None:
    [result] = run(east, {"capsule": f"sha256:{'0' * 64}"}, words=("--host-ttl", "1s"))
    assert (result["reason"], result["exit_status"]) == ("refused", 125)
    assert result["error"]["code"] == "E804"


def test_a_job_that_no_host_can_ever_hold_is_refused_and_the_others_run(east: Fleet) -> None:
    huge, small = run(east, {**HELLO, "max_mem": "8GiB"}, HELLO, words=("--host-ttl", "1s"))
    assert (huge["reason"], huge["error"]["code"]) == ("refused", "E804")
    assert "8 GiB" in huge["error"]["message"]
    assert small["reason"] == "exited"


def test_what_a_job_writes_comes_back_up_to_what_is_asked_for(east: Fleet) -> None:
    job = {"capsule": ARGS, "args": ["hello", "there"]}
    [result] = run(east, job, words=("--capture", "1KiB"))
    assert "hello" in result["stdout"]["text"]
    [cut] = run(east, job, words=("--capture", "3"))
    assert cut["stdout"]["text"] == result["stdout"]["text"][-3:]
    assert cut["stdout"]["written_bytes"] == result["stdout"]["written_bytes"]
    [without] = run(east, job)
    assert without["stdout"] is None


def test_files_of_a_job_are_in_what_a_host_shares(east: Fleet, shared: Path) -> None:
    job = {"capsule": ARGS, "args": ["written"], "stdout": "share:data/out.txt"}
    for _ in range(2):  # a later batch may write it again
        [result] = run(east, job)
        assert result["reason"] == "exited", result["error"]
        assert "written" in (shared / "out.txt").read_text()


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal", "log"])
def test_a_job_writes_no_file_of_the_host_that_a_share_has_in_it(name: str) -> None:
    with fleet() as found:
        share = found.folder / "share"
        share.mkdir()
        words = ["--share", f"data={share}", "--ledger", f"{share}/ledger.db"]
        [host] = found.join("east", limit="512MiB", words=words)
        os.link(host.log, share / "log")
        refused, done = run(found, {**HELLO, "stdout": f"share:data/{name}"}, HELLO)
        assert (refused["error"]["code"], done["reason"]) == ("E330", "exited")
        assert "joined" in host.said()
        listing = ("ledger", "ls", "--ledger", share / "ledger.db")
        wait_until(lambda: "default" in atectl(*listing).stdout)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_second_job_that_names_the_same_file_for_its_output_is_refused(
    east: Fleet, shared: Path, stream: str
) -> None:
    path = f"share:data/{stream}.txt"
    jobs = (
        {"capsule": ARGS, "args": ["first"], "stdout": path},
        {**HELLO, stream: f"{path[:11]}./{path[11:]}"},
    )
    first, second = run(east, *jobs)
    assert (first["reason"], second["reason"]) == ("exited", "refused")
    assert "is what an earlier job of this batch writes" in second["error"]["message"]
    assert (shared / f"{stream}.txt").read_text() == "first\n"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("stdout", "out.txt", "is a path of this machine"),
        ("stdin", "/etc/passwd", "is a path of this machine"),
        ("dirs", ["."], "is a path of this machine"),
        ("stdout", "share:data/../out.txt", "leads out of its share"),
        ("dirs", ["share:data/.."], "leads out of its share"),
        ("capsule", "sha256:12", "is no hash of a content"),
    ],
)
def test_what_is_on_the_submitters_machine_is_refused_with_the_remedy(
    east: Fleet, key: str, value: object, says: str
) -> None:
    [result] = run(east, {**HELLO, key: value})
    assert (result["reason"], result["exit_status"]) == ("refused", 2)
    assert says in result["error"]["message"]
    if "path of" in says:
        assert "host join --share NAME=DIR" in result["error"]["remedy"]


def test_a_share_that_no_host_has_is_refused_in_time(east: Fleet) -> None:
    [result] = run(east, {**HELLO, "stdout": "share:logs/x"}, words=("--host-ttl", "1s"))
    assert result["error"]["code"] == "E804"
    assert "--share logs=DIR" in result["error"]["remedy"]


def test_a_link_in_a_share_leads_nowhere_else(east: Fleet, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (shared / "link").symlink_to(tmp_path / "secret")
    [result] = run(east, {**HELLO, "stdout": "share:data/link/x"})
    assert result["reason"] == "refused" or result["exit_status"] != 0
    assert not (tmp_path / "secret" / "x").exists()


def test_after_a_failure_no_more_jobs_start_if_the_first_is_to_end_it(east: Fleet) -> None:
    failing = {"capsule": str(CAPSULES / "exit-status.wat")}
    batch = east.batch([failing, *([{**SLEEP, "deadline": "1s"}] * 50)], "--fail-fast")
    ended = batch.end()
    assert ended.status == 1
    assert len(batch.results()) < 20, ended.stderr


def test_no_link_to_a_scheduler_without_one_is_one_clear_error() -> None:
    port = free_port()
    for words in (("batch", "-", "--on"), ("host", "ls", "--on")):
        ended = atectl(*words, f"tcp://127.0.0.1:{port}", stdin=b"")
        assert ended.status == 125
        assert f"error[E801]: tcp://127.0.0.1:{port}" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("host", "join", "nonsense"), "E101", "is no address of a scheduler"),
        (("host", "join", "tcp://10.1.2.3:8786"), "E806", "is on another machine"),
        (("host", "ls", "--on", "tcp://10.1.2.3:8786"), "E806", "is on another machine"),
        (("batch", "-", "--on", "tcp://10.1.2.3:8786"), "E806", "is on another machine"),
        (("host", "ls", "--on", "tls://a:1", "--tls-ca", "x"), "E101", "go together"),
        (("host", "join", "tcp://127.0.0.1:1", "--share", "x"), "E810", "is no NAME=DIR"),
        (("host", "join", "tcp://127.0.0.1:1", "--share", "x=/none"), "E810", "is no folder"),
        (("host", "join", "tcp://127.0.0.1:1", "--limit", "much"), "E102", "much"),
    ],
)
def test_a_command_line_that_cannot_be_used_is_refused(
    words: tuple[str, ...], code: str, says: str
) -> None:
    ended = atectl(*words, stdin=b"")
    assert ended.status == 2
    assert f"error[{code}]" in ended.stderr
    assert says in ended.stderr


@pytest.fixture
def no_scheduler() -> Iterator[int]:
    """The port of a server that is no scheduler of Dask."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_that_is_no_scheduler_is_called_so(no_scheduler: int, tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{no_scheduler}"
    for words in (("host", "ls", "--on"), ("batch", "-", "--on")):
        ended = atectl(*words, address)
        assert ended.status == 125
        assert f"error[E801]: {address}" in ended.stderr
        assert "no Dask scheduler" in ended.stderr
    found = Fleet(tmp_path)
    host = found.begin("lost", "--ledger", "none", address=address)
    wait_until(lambda: "no Dask scheduler" in host.said())
    host.kill()


def test_files_of_tls_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "missing.pem"):
        tls = ("--tls-ca", path, "--tls-cert", path, "--tls-key", path)
        for words in (("host", "join"), ("host", "ls", "--on"), ("batch", "-", "--on")):
            ended = atectl(*words, "tls://127.0.0.1:1", *tls)
            assert ended.status == 2, ended.stderr
            assert "the files of TLS cannot be used" in ended.stderr
    ended = atectl("host", "ls", "--on", "tls://127.0.0.1:1")
    assert (ended.status, "no files of TLS are given" in ended.stderr) == (2, True)


def test_a_limit_that_the_host_itself_is_over_is_one_clear_error(tmp_path: Path) -> None:
    found = Fleet(tmp_path)
    host = found.begin("small", "--ledger", "none", limit="4MiB")
    assert host.process.wait(60) == 125
    assert "error[E3" in host.said()
    assert "Traceback" not in host.said()


def test_jobs_are_listed_and_none_is_run_if_that_is_asked_for(east: Fleet) -> None:
    batch = east.batch([HELLO, {**HELLO, "stdout": "out"}], "--dry-run", "-o", "json")
    ended = batch.end()
    assert "is a path of this machine" in ended.stdout + ended.stderr


def test_a_host_waits_for_a_scheduler_that_is_not_there_yet(tmp_path: Path) -> None:
    found = Fleet(tmp_path)
    host = found.begin("early", "--ledger", "none")
    try:
        wait_until(lambda: "waiting for a scheduler" in host.said())
        found.start_scheduler()
        wait_until(lambda: "joined" in host.said())
    finally:
        found.__exit__()


def test_a_host_that_waits_for_its_scheduler_leaves_when_told(tmp_path: Path) -> None:
    found = Fleet(tmp_path)
    host = found.begin("early", "--ledger", "none")
    wait_until(lambda: "waiting for a scheduler" in host.said())
    host.signal(signal.SIGTERM)
    assert host.process.wait(30) == 0
    assert len(host.said().splitlines()) == 2


def test_over_tls_only_who_has_a_certificate_of_the_authority_is_served(tmp_path: Path) -> None:
    with fleet(tls=certificates(tmp_path / "ours")) as found:
        found.join("east")
        batch = found.batch([HELLO])
        assert batch.end().status == 0
        assert set(found.ls()) == {"east"}
        theirs = _tls_words(certificates(tmp_path / "theirs"))
        ended = atectl("host", "ls", "--on", found.address, *theirs)
        assert ended.status == 125, ended.stdout
        assert "error[E801]" in ended.stderr
        assert "Traceback" not in ended.stderr
        plain = found.address.replace("tls://", "tcp://")
        assert atectl("host", "ls", "--on", plain).status == 125


def _tls_words(files: dict[str, Path]) -> list[str]:
    return [word for name, path in files.items() for word in (f"--tls-{name}", str(path))]


def test_each_run_is_charged_to_the_ledger_of_its_host(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    with fleet() as found:
        host = found.begin("east", "--ledger", str(ledger))
        wait_until(lambda: "joined" in host.said())
        assert found.batch([{**HELLO, "principal": "blue"}] * 3).end().status == 0
        host.process.terminate()
        assert host.process.wait(60) == 0
    listed = json.loads(atectl("ledger", "ls", "--ledger", ledger, "-o", "json").stdout)
    [account] = listed["accounts"]
    assert (account["principal"], account["leases"]) == ("blue", 3)


def test_jobs_with_long_arguments_go_in_several_messages(east: Fleet) -> None:
    job = {"capsule": HELLO["capsule"], "args": ["x" * (600 << 10)]}
    assert [result["reason"] for result in run(east, *([job] * 6))] == ["exited"] * 6


def test_a_stopped_host_is_listed_as_one_that_says_nothing() -> None:
    with fleet() as found:
        [host] = found.join("east")
        host.signal(signal.SIGSTOP)
        found.wait_for(lambda hosts: hosts["east"].silent_s > 2)
