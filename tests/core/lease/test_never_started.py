"""Who brings a capsule that is refused is charged for what it took to find that out."""

from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings
from atectl.errors import CapsuleNotFound, NotWebAssembly
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms
from atectl.ledger_store.opening import open_for_reading
from atectl.ledger_store.records import AccountRecord, LeaseRecord
from tests.support.runtimes import bare

TERMS = Terms(Principal("tenant"), Quota(1 << 20), WasiSettings(("x",)), label="nightly")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture
def runtime(place: str) -> Runtime:
    return bare(place)


def refusal() -> NotWebAssembly:
    error = NotWebAssembly("x.wasm is not WebAssembly")
    error.sha256, error.compile_s, error.compile_cpu_s, error.compile_peak_bytes = "ab", 2.0, 1.5, 9
    return error


def stored(place: str) -> tuple[list[AccountRecord], list[LeaseRecord]]:
    store = open_for_reading(place)
    found = store.accounts(), store.history()
    store.close()
    return found


def test_it_is_a_finished_lease_of_the_principal(runtime: Runtime, place: str) -> None:
    runtime.store_ledger()
    assert runtime.charge_for_refusal("x.wasm", TERMS, refusal())
    assert runtime.close() is None
    [account], [lease] = stored(place)
    assert (account.principal, account.leases, account.compile_cpu_s) == ("tenant", 1, 1.5)
    assert (account.cpu_s, account.peak_bytes) == (0, 0)
    assert (lease.capsule, lease.label, lease.reason, lease.exit_status) == (
        "x.wasm", "nightly", "refused", 126,
    )  # fmt: skip
    assert (lease.sha256, lease.cached, lease.compile_s) == ("ab", False, 2.0)
    assert (lease.compile_cpu_s, lease.compile_peak_bytes) == (1.5, 9)


@pytest.mark.parametrize("error", [NotWebAssembly("known before"), CapsuleNotFound("not there")])
def test_what_took_nothing_is_not_noted(
    runtime: Runtime, error: NotWebAssembly | CapsuleNotFound
) -> None:
    assert not runtime.charge_for_refusal("x.wasm", TERMS, error)
    assert runtime.ledger.accounts() == []
