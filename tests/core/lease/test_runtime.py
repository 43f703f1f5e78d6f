"""What leases run on: one engine, one cache, and one ledger that is stored or is not."""

import contextlib
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings
from atectl.errors import BadConfiguration, CacheUnusable, LedgerUnavailable
from atectl.lease.lease import Lease
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms
from atectl.ledger_store.opening import open_for_reading
from tests.conftest import CAPSULES
from tests.support.runtimes import bare

HELLO = CAPSULES / "hello.wat"


def hello(runtime: Runtime) -> Lease:
    terms = Terms(Principal("tenant"), Quota(64 << 20, 60.0), WasiSettings(("hello",)))
    return runtime.lease(runtime.load(HELLO, terms.quota), terms)


def test_its_leases_are_in_its_ledger() -> None:
    runtime = bare()
    for _ in range(2):
        lease = hello(runtime)
        lease.start()
        lease.join()
    [account] = runtime.ledger.accounts()
    assert (account.principal, account.usage.leases) == ("tenant", 2)
    assert runtime.close() is None


def test_what_is_stored_at_the_end_is_what_its_ledger_has(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    runtime = bare(place)
    lease = hello(runtime)
    lease.start()
    runtime.store_ledger()
    lease.join()
    assert runtime.close() is None
    with contextlib.closing(open_for_reading(place)) as store:
        assert store.history() == [lease.record()]
        [stored] = store.accounts()
    [account] = runtime.ledger.accounts()
    assert stored.peak_bytes == account.peak_bytes
    assert {name: getattr(stored, name) for name in account.usage._fields} == (
        account.usage._asdict()
    )


def test_a_ledger_of_none_is_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    runtime = bare("none")
    lease = hello(runtime)
    lease.start()
    runtime.store_ledger()
    lease.join()
    assert runtime.close() is None
    assert list(tmp_path.iterdir()) == []


def test_why_the_ledger_was_not_stored_is_told_at_the_end(tmp_path: Path) -> None:
    runtime = bare(str(tmp_path / "no-folder" / "ledger.db"))
    runtime.store_ledger()
    assert isinstance(runtime.close(), LedgerUnavailable)


def test_closing_is_idempotent() -> None:
    runtime = bare()
    assert runtime.close() is None
    assert runtime.close() is None


def test_a_capsule_is_compiled_once_for_all_runtimes_that_use_the_cache() -> None:
    runtimes = [Runtime("none"), Runtime("none"), bare()]
    assert [hello(each).capsule.was_cached for each in runtimes] == [False, True, False]


def test_a_cache_that_cannot_be_used_is_a_warning_and_hinders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runtime = Runtime("none")
    assert [type(warning) for warning in runtime.warnings] == [CacheUnusable]
    assert hello(runtime).capsule.name == "hello.wat"


def test_settings_that_cannot_be_read_are_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "atectl.toml").write_text("[ledger")
    monkeypatch.setenv("ATECTL_CONFIG", str(tmp_path / "atectl.toml"))
    with pytest.raises(BadConfiguration):
        bare(None)  # type: ignore[arg-type]
