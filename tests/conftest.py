"""Every test gets homes of its own: none touches the user's ledger, cache or settings."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.program import ATECTL
from tests.support.real_capsules import CPYTHON

pytest_plugins = ["tests.support.redis_servers"]

ROOT = Path(__file__).resolve().parent.parent
CAPSULES = ROOT / "fixtures" / "capsules"

# A property is no timed test, and a busy machine no counterexample. New examples are looked for
# where somebody can look into them; in CI the same ones are tried each time.
hypothesis.settings.register_profile(
    "atectl", deadline=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("atectl")


@pytest.fixture(scope="session")
def _cache_with_cpython(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared-cache")
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "ATECTL_LEDGER": "none"}
    subprocess.run(
        [ATECTL, "run", str(CPYTHON), "-c", "pass"], env=environment, check=True, timeout=110
    )
    return folder


@pytest.fixture
def compiled_capsules(
    private_homes: Path, _cache_with_cpython: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that the tests share and that holds CPython, which takes seconds to compile."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(_cache_with_cpython))


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can, so that what is not guarded breaks soon."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(autouse=True)
def private_homes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    home = tmp_path_factory.mktemp("home")
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        folder = home / variable.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(folder))
    for variable in (
        "ATECTL_LEDGER",
        "ATECTL_CONFIG",
        "ATECTL_DEBUG",
        "ATECTL_REDIS_URL",
        "NO_COLOR",
        "COLUMNS",
    ):
        monkeypatch.delenv(variable, raising=False)
    return home
