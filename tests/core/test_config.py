"""Where settings come from: the flag, the environment, atectl.toml, the default, in this order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atectl import config
from atectl.config import (
    DEFAULT_CACHE_BYTES,
    cache_dir,
    cache_max_bytes,
    config_path,
    default_ledger_path,
    ledger_place,
    load_settings,
    settings_table,
)
from atectl.errors import BadConfiguration
from atectl.records.reading import Table


@pytest.fixture
def toml(private_homes: Path) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True)
    return path


class TestLedgerPath:
    def test_is_in_the_state_folder_by_default(self, private_homes: Path) -> None:
        assert ledger_place() == private_homes / "xdg_state_home" / "atectl" / "ledger.db"
        assert ledger_place() == default_ledger_path()

    def test_comes_from_the_file_before_the_default(self, toml: Path) -> None:
        toml.write_text("[ledger]\npath = '/from/file.db'\n")
        assert ledger_place() == Path("/from/file.db")

    def test_comes_from_the_environment_before_the_file(
        self, toml: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml.write_text("[ledger]\npath = '/from/file.db'\n")
        monkeypatch.setenv("ATECTL_LEDGER", "/from/environment.db")
        assert ledger_place() == Path("/from/environment.db")

    def test_comes_from_the_flag_before_everything(
        self, toml: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml.write_text("not even TOML")
        monkeypatch.setenv("ATECTL_LEDGER", "/from/environment.db")
        assert ledger_place("/from/flag.db") == Path("/from/flag.db")

    def test_empty_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ATECTL_LEDGER", "")
        assert ledger_place("") == default_ledger_path()

    def test_none_keeps_no_ledger_wherever_it_is_said(
        self, toml: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert ledger_place("none") is None
        toml.write_text("[ledger]\npath = 'none'\n")
        assert ledger_place() is None
        toml.unlink()
        monkeypatch.setenv("ATECTL_LEDGER", "none")
        assert ledger_place() is None

    def test_a_tilde_is_the_home_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        assert ledger_place("~/l.db") == Path("/home/someone/l.db")

    def test_the_tilde_of_nobody_known_stays(self) -> None:
        assert ledger_place("~no-such-user/l.db") == Path("~no-such-user/l.db")


class TestFolders:
    @pytest.mark.parametrize("value", ["", "relative/folder"])
    def test_an_unset_or_relative_base_is_below_home(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(variable, value)
        home = Path("/home/someone")
        assert ledger_place() == home / ".local/state/atectl/ledger.db"
        assert cache_dir() == home / ".cache/atectl"
        assert config_path() == home / ".config/atectl/atectl.toml"

    def test_without_any_home_it_is_said_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_home(path: str) -> str:
            return path

        monkeypatch.setattr(os.path, "expanduser", no_home)
        monkeypatch.delenv("XDG_STATE_HOME")
        with pytest.raises(BadConfiguration, match="home folder") as caught:
            ledger_place()
        assert caught.value.remedy == "set HOME"

    def test_the_cache_may_be_elsewhere_and_of_another_size(self, toml: Path) -> None:
        assert cache_max_bytes() == DEFAULT_CACHE_BYTES
        toml.write_text("[cache]\ndir = '/elsewhere'\nmax_size = '64MiB'\n")
        assert cache_dir() == Path("/elsewhere")
        assert cache_max_bytes() == 64 << 20

    def test_a_size_is_text_or_a_number_as_in_every_file(self, toml: Path) -> None:
        toml.write_text("[cache]\nmax_size = 1048576\n")
        assert cache_max_bytes() == 1 << 20

    def test_every_setting_is_read(self, toml: Path) -> None:
        for field in settings_table().fields:
            said = ["ci.run.fuel = 1"] if field.key == "profiles" else ["fuel = 1"]
            if isinstance(field.reader.takes, Table):
                keys = field.reader.takes.keys
                said = [f"{key} = '{'5m' if key == 'timeout' else '64MiB'}'" for key in keys]
            with toml.open("a") as file:
                file.write("\n".join([f"[{field.key}]", *said, ""]))
        assert None not in load_settings()


class TestFile:
    def test_no_file_says_nothing(self) -> None:
        assert load_settings() == config.Settings()

    def test_a_named_file_must_exist(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("ATECTL_CONFIG", str(tmp_path / "none.toml"))
        with pytest.raises(BadConfiguration, match="no such file"):
            load_settings()

    def test_an_empty_name_names_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ATECTL_CONFIG", "")
        assert load_settings() == config.Settings()

    def test_a_named_file_is_read(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text("[ledger]\npath = '/mine.db'\n")
        monkeypatch.setenv("ATECTL_CONFIG", str(path))
        assert ledger_place() == Path("/mine.db")

    def test_it_is_utf_8_whatever_the_locale(self, toml: Path) -> None:
        toml.write_bytes("[ledger]\npath = '/läger.db'\n".encode())
        found = subprocess.run(
            [
                sys.executable,
                "-c",
                "from atectl import config; print(ascii(config.ledger_place()))",
            ],
            env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            capture_output=True,
            text=True,
        )
        assert found.stdout == "PosixPath('/l\\xe4ger.db')\n"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"[ledger", "Expected"),
            pytest.param(b"a = " + b"[" * 100_000, "it is nested too deeply", id="nested"),
            (b"[ledger]\npath = '\xff'", "it is not UTF-8"),
            (b"[ledger]\npth = 'x'", r"ledger: unknown key 'pth'; did you mean path\?"),
            (b"[xyzzy]\nqqq = 'x'", "unknown key 'xyzzy'$"),
            (b"[ledgr]\npath = 'x'", r"unknown key 'ledgr'; did you mean ledger\?"),
            (b"[ledgr]", r"unknown key 'ledgr'; did you mean ledger\?"),
            (b"ledger = 'x'", "ledger: .* is no table of keys and values"),
            (b"[[ledger]]\npath = 'x'", "ledger: .* is no table of keys and values"),
            (b"[ledger]\npath = 5", "ledger: path: 5 is no text in quotes"),
            (b"[cache]\nmax_size = 0.5", "cache: max_size: 0.5 is not a size"),
            (b"[cache]\nmax_size = '5 apples'", "'5 apples' is not a size"),
            (b"[cache]\nmax_size = '0'", "'0' is zero"),
        ],
    )
    def test_what_it_may_not_hold_is_named_with_the_file(
        self, toml: Path, content: bytes, reason: str
    ) -> None:
        toml.write_bytes(content)
        with pytest.raises(BadConfiguration, match=reason) as caught:
            load_settings()
        assert str(caught.value).startswith(f"{toml}: ")
        assert caught.value.exit_status == 2

    def test_a_folder_in_its_place_is_named(self, toml: Path) -> None:
        toml.mkdir()
        with pytest.raises(BadConfiguration, match="Is a directory"):
            load_settings()


def test_a_nul_in_a_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "atectl.toml").write_text('cache.dir = "/a\\u0000b"')
    monkeypatch.setenv("ATECTL_CONFIG", str(tmp_path / "atectl.toml"))
    with pytest.raises(BadConfiguration, match="NUL"):
        config.cache_dir()
