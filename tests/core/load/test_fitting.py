"""Whether what can be loaded could also start: under a quota, or where a host budget has it."""

from pathlib import Path

import pytest

from atectl.budget.file import load_budget
from atectl.load.fitting import fits_all, fits_budget, fits_quota
from atectl.load.results import LoadedCapsule

MIB = 1 << 20


def row(path: str | Path = "x.wasm", needs: int | None = 8 * MIB) -> LoadedCapsule:
    return LoadedCapsule(str(path), "ok", min_memory_bytes=needs)


def test_what_needs_as_much_as_there_is_fits() -> None:
    assert fits_quota(8 * MIB)(row()) == row()


def test_what_needs_a_byte_more_does_not() -> None:
    found = fits_quota(8 * MIB - 1)(row())
    assert found.verdict == "unfit"
    assert found.reason is not None
    assert found.reason.startswith("x.wasm needs 8MiB to start, over the")


@pytest.mark.parametrize(
    "bad", [row()._replace(verdict="truncated", reason="cut"), row(needs=None)]
)
def test_what_is_bad_or_not_known_stays_as_it_is(bad: LoadedCapsule) -> None:
    assert fits_quota(1)(bad) == bad


def test_a_budget_grants_a_capsule_the_least_that_it_says(tmp_path: Path) -> None:
    capsule, other = tmp_path / "x.wasm", tmp_path / "y.wasm"
    path = tmp_path / "budget.toml"
    path.write_text(
        '[host]\nlimit = "1GiB"\n[defaults]\nmax_mem = "16MiB"\n'
        '[[capsule]]\npath = "x.wasm"\nmax_mem = "4MiB"\n'
        '[[job]]\ncapsule = "x.wasm"\nmax_mem = "8MiB"\n'
    )
    judge = fits_budget(load_budget(path))
    assert judge(row(capsule)).verdict == "unfit"
    assert judge(row(capsule, 4 * MIB)).is_ok
    assert judge(row(other)).is_ok
    found = judge(row(other, 17 * MIB))
    assert found.reason == f"y.wasm needs 17MiB to start, over the 16MiB of {path}"


def test_no_grant_goes_beyond_the_limit_of_the_host(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[host]\nlimit = "64MiB"\n[defaults]\nmax_mem = "1GiB"\n')
    found = fits_budget(load_budget(path))(row(needs=65 * MIB))
    assert found.reason == "x.wasm needs 65MiB to start, over the host's limit of 64 MiB"


def test_the_first_that_does_not_fit_is_told() -> None:
    found = fits_all([fits_quota(9 * MIB), fits_quota(2 * MIB), fits_quota(1)])(row())
    assert "2MiB" in (found.reason or "")
    assert fits_all([])(row()) == row()
