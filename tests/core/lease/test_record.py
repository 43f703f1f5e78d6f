"""What the ledger is told of a lease: while it runs, and as it ended."""

import os

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings
from atectl.lease.lease import Lease
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms
from atectl.system.processes import own_identity
from tests.conftest import CAPSULES
from tests.support.runtimes import bare
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return bare()


def leased(runtime: Runtime, name: str, fuel: int | None = None) -> Lease:
    wasi = WasiSettings((name,))
    terms = Terms(Principal("tenant"), Quota(64 << 20, 60.0, fuel), wasi, label="nightly")
    return runtime.lease(runtime.load(CAPSULES / f"{name}.wat", terms.quota), terms)


def ended(runtime: Runtime, name: str) -> Lease:
    lease = leased(runtime, name)
    lease.start()
    lease.join()
    return lease


def test_it_names_the_lease_and_this_process(runtime: Runtime) -> None:
    lease = leased(runtime, "hello")
    record = lease.record()
    assert (record.id, record.principal, record.capsule, record.label) == (
        lease.id, "tenant", "hello.wat", "nightly",
    )  # fmt: skip
    assert (record.host, record.pid, record.process) == (
        os.uname().nodename, os.getpid(), own_identity(),
    )  # fmt: skip
    assert (record.quota_bytes, record.started_at) == (64 << 20, lease.started_at)


def test_a_running_lease_has_no_end(runtime: Runtime) -> None:
    lease = leased(runtime, "spin")
    lease.start()
    wait_until(lambda: lease.read().current_bytes)
    record = lease.record()
    lease.end("interrupted")
    lease.join()
    assert (record.state, record.reason, record.exit_status, record.finished_at) == (
        "running", None, None, None,
    )  # fmt: skip
    assert record.current_bytes > 0


def test_a_lease_that_has_ended_is_told_the_same_whenever_it_is_asked(runtime: Runtime) -> None:
    lease = ended(runtime, "exit-status")
    record = lease.record()
    assert lease.record() == record
    assert (record.state, record.reason, record.exit_status, record.current_bytes) == (
        "finished", "exited", 7, 0,
    )  # fmt: skip
    assert record.finished_at == record.updated_at >= record.started_at


@pytest.mark.parametrize(("name", "traps"), [("trap", 1), ("hello", 0)])
def test_a_trap_is_counted(runtime: Runtime, name: str, traps: int) -> None:
    assert ended(runtime, name).record().trapped == traps


@pytest.mark.parametrize("name", ["hello", "trap", "never-stops-growing"])
def test_what_is_counted_of_it_is_what_its_record_says(runtime: Runtime, name: str) -> None:
    lease = ended(runtime, name)
    assert lease.observation() == lease.record().observation
