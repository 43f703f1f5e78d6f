"""Defaults of options from the environment and atectl.toml, by one rule for all of them."""

from pathlib import Path

import pytest

from atectl import errors
from atectl.commands.batch.arguments import TABLE as BATCH
from atectl.commands.options.presets import key_of, presets
from atectl.commands.options.table import Option
from atectl.commands.run.arguments import TABLE as RUN
from atectl.commands.run.arguments import RunRequest, parse
from tests.conftest import CAPSULES
from tests.support.python_child import in_child

OPTIONS = [(table, option) for table in (RUN, BATCH) for option in table.options]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "atectl.toml"
    monkeypatch.setenv("ATECTL_CONFIG", str(file))
    return file


def read(*words: str, **environment: str) -> RunRequest:
    return parse([*words, "capsule.wasm"], environment)


def value_of(option: Option) -> str:
    """Some value, as text; what it is does not matter before it is read."""
    return "3" if option.takes_value else "true"


@pytest.mark.parametrize(("table", "option"), OPTIONS, ids=lambda each: getattr(each, "name", ""))
def test_every_option_has_a_variable(table: object, option: Option) -> None:
    variable = f"ATECTL_{table.command}_{key_of(option)}".upper()  # type: ignore[attr-defined]
    if option.name == "--profile":
        variable = ""
    environment = {variable: value_of(option)} if variable else {}
    found = presets(table, environment)  # type: ignore[arg-type]
    assert [each.option for each in found] == ([option] if variable else [])


@pytest.mark.parametrize(("table", "option"), OPTIONS, ids=lambda each: getattr(each, "name", ""))
def test_every_option_but_the_profile_has_a_key(
    table: object, option: Option, settings: Path
) -> None:
    value = f'"{value_of(option)}"' if option.takes_value else "true"
    settings.write_text(f"[{table.command}]\n{key_of(option)} = {value}\n")  # type: ignore[attr-defined]
    if option.name == "--profile":
        with pytest.raises(errors.BadConfiguration, match="no such option"):
            presets(table, {})  # type: ignore[arg-type]
        return
    [found] = presets(table, {})  # type: ignore[arg-type]
    assert found.option is option


def test_the_command_line_goes_before_the_environment_the_profile_and_the_file(
    settings: Path,
) -> None:
    settings.write_text(
        '[run]\nmax_mem = "1MiB"\nfuel = 1\nlabel = "file"\nmax_fds = 9\n'
        '[profiles.ci.run]\nmax_mem = "2MiB"\nfuel = 2\nlabel = "profile"\n'
    )
    variables = {"ATECTL_RUN_MAX_MEM": "3MiB", "ATECTL_RUN_FUEL": "3"}
    request = read("--profile", "ci", "--max-mem", "4MiB", **variables)
    assert request.quota.memory_bytes == 4 << 20
    assert (request.quota.fuel, request.label, request.max_fds) == (3, "profile", 9)


def test_a_profile_can_be_chosen_by_a_variable(settings: Path) -> None:
    settings.write_text("[profiles.ci.run]\nquiet = true\n")
    assert read(ATECTL_PROFILE="ci").is_quiet
    assert not read().is_quiet


def test_a_flag_is_switched_on_and_off(settings: Path) -> None:
    settings.write_text("[run]\ncache = false\nquiet = true\n[profiles.loud.run]\nquiet = false\n")
    assert (read().uses_cache, read().is_quiet) == (False, True)
    assert read("--cache").uses_cache
    assert not read("--profile", "loud").is_quiet
    assert not read(ATECTL_RUN_QUIET="no").is_quiet


def test_an_option_that_may_be_repeated_has_a_list_or_a_line_each(settings: Path) -> None:
    settings.write_text('[run]\nenv = ["A=1", "B=2"]\n')
    assert read().wasi.environment == (("A", "1"), ("B", "2"))
    assert read(ATECTL_RUN_ENV="C=3\nD=4\n").wasi.environment == (("C", "3"), ("D", "4"))
    assert read(ATECTL_RUN_ENV="C=3\u2028D=4").wasi.environment == (("C", "3\u2028D=4"),)
    assert read("--env", "E=5").wasi.environment == (("E", "5"),)


def test_the_variable_of_the_ledger_goes_before_the_file(settings: Path) -> None:
    settings.write_text('[run]\nledger = "file.db"\n')
    assert read().ledger == "file.db"
    assert read(ATECTL_LEDGER="other.db").ledger is None


def test_options_of_a_lock_may_be_set_for_runs_that_hold_none(settings: Path) -> None:
    settings.write_text('[run]\nlock_ttl = "9s"\n')
    assert read().lock is None
    held = read("--actor", "demo/web").lock
    assert held is not None
    assert held.wanted.ttl_s == 9


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[run]\nmax_mem = "lots"\n', "atectl.toml: run.max_mem: 'lots' is not a size"),
        ("[run]\nmax_memm = 1\n", "run.max_memm: there is no such option; did you mean max_mem"),
        ("[run]\nmax_mem = true\n", "run.max_mem: --max-mem takes a value"),
        ('[run]\nquiet = "yes"\n', "run.quiet: it is neither true nor false"),
        ('[run]\nfuel = ["1", "2"]\n', "run.fuel: --fuel takes one value"),
        ("[run]\nenv = [{}]\n", "run.env: {} is no value of an option"),
        ('[run]\ndir = "/no/such"\n', "run.dir: '/no/such' does not exist"),
        ('[run]\non_refused_growth = "x"\n', "run.on_refused_growth: "),
        ("[profiles.ci]\nfuel = 1\n", "unknown key 'fuel'"),
    ],
)
def test_what_is_wrong_with_a_setting_is_told_with_its_place(
    content: str, says: str, settings: Path
) -> None:
    settings.write_text(content)
    with pytest.raises(errors.UsageError) as raised:
        read()
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ATECTL_RUN_MAXMEM", "1", "there is no such option; did you mean max_mem"),
        ("ATECTL_RUN_QUIET", "maybe", "'maybe' is neither true nor false"),
        ("ATECTL_RUN_FUEL", "x", "ATECTL_RUN_FUEL: --fuel 'x' is no whole number"),
        ("ATECTL_PROFILE", "nobody", "there is no profile 'nobody'"),
    ],
)
def test_a_variable_that_cannot_be_is_refused(variable: str, value: str, says: str) -> None:
    with pytest.raises(errors.UsageError) as raised:
        read(**{variable: value})
    assert says in str(raised.value)


@pytest.mark.parametrize("variable", ["", "ATECTL_RUN_LABEL", "ATECTL_PROFILE"])
def test_a_start_without_settings_does_not_pay_for_them(
    variable: str, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ATECTL_CONFIG")
    if variable:
        monkeypatch.setenv(variable, "x")
    told = in_child(
        "import sys\nfrom atectl.commands.main import dispatch\n"
        f"dispatch(['run', '-q', {str(CAPSULES / 'hello.wat')!r}])\n"
        "print('atectl.commands.options.presets' in sys.modules)"
    )
    assert told.splitlines()[-1] == str(bool(variable))
