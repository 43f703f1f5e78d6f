"""Every test gets homes of its own: no test reads or writes the user's ledger, cache or settings."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CAPSULES = ROOT / "fixtures" / "capsules"


@pytest.fixture(autouse=True)
def private_homes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        folder = home / variable.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(folder))
    for variable in ("ATECTL_LEDGER", "ATECTL_CONFIG", "ATECTL_DEBUG", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    return home
