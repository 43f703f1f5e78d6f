"""What TAB offers in real shells with the checked-in files, and where these are kept."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.commands.completions import places as completion_files
from atectl.commands.completions.app import write_script
from atectl.commands.completions.places import FILE_NAMES, Shell
from atectl.commands.main import dispatch
from atectl.commands.options.tree import CommandLine, Completes, read_tree
from atectl.errors import CompletionsDiffer, CompletionsUnwritable, error_classes
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, finish, make_lease
from tests.support.shells import ShellUnderTest, Terminal, open_shell, plain_environment

ROOT = Path(__file__).resolve().parents[3]
CHECKED_IN = ROOT / "completions"
SHELLS = ("bash", "zsh", "fish")

PRINCIPALS = ("alan", "alice", "-x-")
NAMES_OF_PEOPLE = ("user@example.com", "team/service", "a.b.c")
LABELS = ("nightly build", "it's $HOME", "a:b", "with\x1b[31mcolour", "two\nlines")


def _write_ledger(path: Path, principals: tuple[str, ...], labels: tuple[str, ...]) -> None:
    store = SqliteLedgerStore(path, host=HOST, at_default_place=True)
    store.flush(
        finish(make_lease(id=f"{principal}-{number}", principal=principal, label=label))
        for principal in principals
        for number, label in enumerate(labels)
    )
    store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a ledger, capsules in the folder `work`, and a program of our program's name."""
    home = tmp_path_factory.mktemp("shell-home")
    _write_ledger(home / ".local/state/atectl/ledger.db", PRINCIPALS, LABELS)
    _write_ledger(home / "other.db", ("elsewhere",), ("",))
    _write_ledger(home / "people.db", NAMES_OF_PEOPLE, ("me@work: it",))
    work = home / "work"
    (work / "a folder").mkdir(parents=True)
    for name in ("my capsule.wasm", "plain.wasm", "a folder/inner.wasm"):
        (work / name).touch()
    (home / "bin").mkdir()
    (home / "bin" / "atectl").write_text("#!/bin/sh\necho asked\n")
    (home / "bin" / "atectl").chmod(0o755)
    return home


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[ShellUnderTest]:
    environment = plain_environment(home, Path(sys.executable).parent)
    opened = open_shell(request.param, CHECKED_IN, home / "work", environment)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=("bash", "zsh"))
def terminal(request: pytest.FixtureRequest, home: Path) -> Iterator[Terminal]:
    environment = plain_environment(home, Path(sys.executable).parent)
    opened = open_shell(request.param, CHECKED_IN, home / "work", environment)
    assert isinstance(opened, Terminal)
    yield opened
    opened.close()


def _of(tree: CommandLine, *path: str) -> CommandLine:
    return next(command for command in tree.walk() if command.path == path)


def _option_names(command: CommandLine) -> set[str]:
    return {name for option in command.options for name in option.names if name.startswith("--")}


# What every shell offers


@pytest.mark.parametrize("path", [(), ("ledger",), ("cache",), ("completions",)])
def test_subcommands_are_offered(shell: ShellUnderTest, path: tuple[str, ...]) -> None:
    expected = {below.path[-1] for below in _of(read_tree(), *path).subcommands}
    assert len(expected) > 1
    assert set(shell.offers(" ".join(["atectl", *path, ""]))) == expected


def test_a_subcommand_is_completed_from_its_beginning(shell: ShellUnderTest) -> None:
    assert shell.offers("atectl ledg") == ["ledger"]


@pytest.mark.parametrize("path", [("run",), ("ledger", "ls"), ("explain",)])
def test_every_option_of_a_command_is_offered(shell: ShellUnderTest, path: tuple[str, ...]) -> None:
    expected = _option_names(_of(read_tree(), *path))
    assert "--help" in expected
    assert set(shell.offers(" ".join(["atectl", *path, "--"]))) == expected


@pytest.mark.parametrize("typed", ["-o ", "--output ", "--output="])
def test_the_values_of_a_choice_are_offered(shell: ShellUnderTest, typed: str) -> None:
    assert sorted(shell.offers(f"atectl ledger ps {typed}")) == ["json", "table", "wide"]


def test_alternatives_of_run_are_offered(shell: ShellUnderTest) -> None:
    assert sorted(shell.offers("atectl run --on-refused-growth ")) == ["fail", "trap"]


def test_nothing_is_offered_where_only_the_user_knows(shell: ShellUnderTest) -> None:
    assert shell.offers("atectl run --max-mem ") == []


@pytest.mark.parametrize("command", ["run --principal ", "run --principal=", "ledger show "])
def test_principals_come_from_the_ledger(shell: ShellUnderTest, command: str) -> None:
    assert sorted(shell.offers(f"atectl {command}al")) == ["alan", "alice"]


def test_a_principal_that_looks_like_an_option_is_offered_as_one(shell: ShellUnderTest) -> None:
    assert sorted(shell.offers("atectl run --principal ")) == sorted(PRINCIPALS)


@pytest.mark.parametrize("typed", ["--ledger ../other.db", "--ledger=../other.db"])
def test_principals_come_from_the_ledger_that_the_line_names(
    shell: ShellUnderTest, typed: str
) -> None:
    assert shell.offers(f"atectl ledger show {typed} ") == ["elsewhere"]


def test_an_unreadable_ledger_offers_nothing(shell: ShellUnderTest) -> None:
    assert shell.offers("atectl ledger show --ledger plain.wasm a") == []


def test_labels_that_act_on_a_terminal_are_never_offered(shell: ShellUnderTest) -> None:
    offered = " ".join(shell.offers("atectl run --label "))
    assert "nightly" in offered
    assert "colour" not in offered
    assert "lines" not in offered


def test_error_codes_are_offered(shell: ShellUnderTest) -> None:
    expected = [error.code for error in error_classes() if error.code.startswith("E20")]
    assert shell.offers("atectl explain E20") == expected


@pytest.mark.parametrize(
    "typed", ["run ", "run --report ", "run --report=", "run --ledger ", "run --max-mem 1M "]
)
def test_files_are_offered(shell: ShellUnderTest, typed: str) -> None:
    assert shell.offers(f"atectl {typed}pl") == ["plain.wasm"]


@pytest.mark.parametrize("typed", ["--dir ", "--dir="])
def test_only_folders_are_offered_for_a_folder(shell: ShellUnderTest, typed: str) -> None:
    offered = " ".join(shell.offers(f"atectl run {typed}"))
    assert offered.replace("\\", "").rstrip("/") == "a folder"


# The words around CAPSULE


def test_options_are_offered_behind_the_capsule_too(shell: ShellUnderTest) -> None:
    assert shell.offers("atectl run plain.wasm --max-st") == ["--max-stack"]
    assert shell.offers("atectl run plain.wasm --fuel 7 --max-st") == ["--max-stack"]


@pytest.mark.parametrize("guest", ["-c ", "word ", "-- ", "--fuel 7 word "])
def test_no_option_is_offered_among_the_words_of_the_guest(
    shell: ShellUnderTest, guest: str
) -> None:
    assert shell.offers(f"atectl run plain.wasm {guest}--max-st") == []


@pytest.mark.parametrize("guest", ["", "-c ", "word ", "-- ", "--env A= word "])
def test_words_of_the_guest_complete_as_files(shell: ShellUnderTest, guest: str) -> None:
    assert shell.offers(f"atectl run plain.wasm {guest}pl") == ["plain.wasm"]


def test_a_folder_named_as_a_command_is_no_command(shell: ShellUnderTest) -> None:
    assert shell.offers("atectl run --env ledger pl") == ["plain.wasm"]


# What comes to stand on the line


def _meant(line: str) -> list[str]:
    """The words that a shell passes on for a line."""
    script = f"printf '%s\\0' {line}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return ran.stdout.split("\0")[:-1]


@pytest.mark.parametrize("typed", ["run my", "run --report my", "run plain.wasm -c my"])
def test_a_file_name_with_a_space_stays_one_word(terminal: Terminal, typed: str) -> None:
    words = _meant(terminal.completed(f"atectl {typed}"))
    assert words == ["atectl", *typed.split()[:-1], "my capsule.wasm"]


def test_a_file_name_with_a_space_stays_one_word_in_fish(home: Path) -> None:
    environment = plain_environment(home, Path(sys.executable).parent)
    fish = open_shell("fish", CHECKED_IN, home / "work", environment)
    assert fish.offers("atectl run my") == ["my capsule.wasm"]


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("nightly", "nightly build"),
        ("nightly\\ b", "nightly build"),
        ("'nightly b", "nightly build"),
        ('"nightly b', "nightly build"),
        ("it", "it's $HOME"),
        ("a:", "a:b"),
    ],
)
def test_a_label_stays_one_word_and_means_itself(
    terminal: Terminal, typed: str, label: str
) -> None:
    words = _meant(terminal.completed(f"atectl run --label {typed}"))
    assert words == ["atectl", "run", "--label", label]


@pytest.mark.parametrize(
    ("typed", "principal"),
    [
        ("u", "user@example.com"),
        ("user", "user@example.com"),
        ("user@", "user@example.com"),
        ("user@ex", "user@example.com"),
        ("user@example.c", "user@example.com"),
        ("'user@ex", "user@example.com"),
        ('"user@ex', "user@example.com"),
        ("team", "team/service"),
        ("team/", "team/service"),
        ("team/se", "team/service"),
        ("a.", "a.b.c"),
        ("a.b.", "a.b.c"),
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        "ledger show --ledger ../people.db ",
        "run --ledger=../people.db --principal ",
        "run --ledger=../people.db --principal=",
    ],
)
def test_a_principal_is_completed_wherever_its_name_is_cut(
    terminal: Terminal, before: str, typed: str, principal: str
) -> None:
    line = f"atectl {before}"
    assert _meant(terminal.completed(line + typed)) == _meant(line + principal)


def test_a_label_with_several_marks_is_completed_behind_each(terminal: Terminal) -> None:
    line = "atectl run --ledger=../people.db --label "
    for typed in ("me", "me@", "me@wo", "me@work:", "'me@work: i"):
        assert _meant(terminal.completed(line + typed))[-1] == "me@work: it"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_label_that_a_quote_would_change_is_quoted_otherwise_or_left_alone(
    terminal: Terminal, quote: str
) -> None:
    typed = f"atectl run --label {quote}it"
    line = terminal.completed(typed)
    assert line == typed or _meant(line) == ["atectl", "run", "--label", "it's $HOME"]


def test_a_single_answer_is_put_on_the_line(terminal: Terminal) -> None:
    assert terminal.completed("atectl run --principal=ali") == "atectl run --principal=alice "


@pytest.mark.parametrize("program", ["../bin/atectl", "~/bin/atectl"])
def test_the_program_that_was_typed_is_the_one_asked(shell: ShellUnderTest, program: str) -> None:
    assert shell.offers(f"{program} ledger show ") == ["asked"]


# The tree that the files are written from


def test_no_command_brings_completion_options_of_its_own() -> None:
    for command in read_tree().walk():
        assert not _option_names(command) & {"--install-completion", "--show-completion"}


def test_every_command_and_option_has_a_summary() -> None:
    for command in read_tree().walk():
        assert command.summary, command.path
        for option in command.options:
            assert option.summary, (command.path, option.names)


def test_hidden_commands_are_left_out() -> None:
    below = {command.path[-1] for command in _of(read_tree(), "completions").subcommands}
    assert below == {"show", "install", "uninstall", "check"}


def test_only_run_passes_words_on() -> None:
    assert [command.path for command in read_tree().walk() if command.passes_on] == [("run",)]


def test_principals_and_labels_of_run_are_asked_for() -> None:
    asked = {
        option.names[0]
        for option in _of(read_tree(), "run").options
        if option.value and option.value.completes is Completes.CANDIDATES
    }
    assert asked == {"--principal", "--label"}


# `atectl completions`


def test_the_checked_in_files_are_those_that_this_atectl_writes() -> None:
    assert dispatch(["completions", "check", str(CHECKED_IN)]) == 0


@pytest.mark.parametrize("shell", Shell)
def test_show_prints_the_file(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["completions", "show", shell]) == 0
    assert capsys.readouterr().out == (CHECKED_IN / FILE_NAMES[shell]).read_text()


@pytest.mark.parametrize("shell", Shell)
def test_install_says_where_and_what_is_still_needed(
    shell: Shell,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("BASH_COMPLETION_USER_DIR", raising=False)
    assert dispatch(["completions", "install", shell]) == 0
    path = completion_files.user_file(shell)
    assert path.read_text() == write_script(shell)
    did, needed = capsys.readouterr().out.splitlines()
    assert did == f"wrote {path}"
    assert (str(path.parent) in needed) == (shell is Shell.zsh)


def test_install_takes_the_login_shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/usr/local/bin/fish")
    assert dispatch(["completions", "install"]) == 0
    assert "atectl.fish" in capsys.readouterr().out


def test_a_second_install_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["completions", "install", "fish"])
    capsys.readouterr()
    assert dispatch(["completions", "install", "fish"]) == 0
    assert capsys.readouterr().out.startswith("already up to date: ")


@pytest.mark.parametrize("login_shell", ["/bin/tcsh", ""])
def test_install_without_a_shell_it_knows_is_a_usage_error(
    login_shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", login_shell)
    assert dispatch(["completions", "install"]) == 2
    assert "try: say which" in capsys.readouterr().err


def test_an_unknown_shell_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["completions", "show", "tcsh"]) == 2
    assert capsys.readouterr().err.startswith("error[E101]: ")


def test_check_names_the_file_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for shell in Shell:
        (tmp_path / FILE_NAMES[shell]).write_text(write_script(shell))
    stale = tmp_path / "_atectl"
    stale.write_text("#compdef atectl\nold\n")
    assert dispatch(["completions", "check", str(tmp_path)]) == 1
    shown = capsys.readouterr().err
    assert f"error[E603]: {stale} differs from what this atectl writes, from line 2 on" in shown
    assert "completions show zsh >" in shown


# Where the files are kept


def test_the_wheel_puts_every_file_where_its_shell_looks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    files = project["tool"]["setuptools"]["data-files"]
    assert {folder: names for folder, names in files.items() if "/man/" not in folder} == {
        "share/bash-completion/completions": ["completions/atectl.bash"],
        "share/zsh/site-functions": ["completions/_atectl"],
        "share/fish/vendor_completions.d": ["completions/atectl.fish"],
    }


def _scripts(text: str = "script\n") -> dict[Shell, str]:
    return {shell: f"{shell} {text}" for shell in Shell}


@pytest.mark.parametrize("missing", Shell)
def test_a_missing_file_is_named(missing: Shell, tmp_path: Path) -> None:
    for shell, script in _scripts().items():
        if shell is not missing:
            (tmp_path / FILE_NAMES[shell]).write_text(script)
    with pytest.raises(CompletionsDiffer, match=f"{FILE_NAMES[missing]} is missing"):
        completion_files.check(tmp_path, _scripts())


def test_a_file_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "atectl.bash").mkdir()
    with pytest.raises(CompletionsDiffer, match=r"atectl\.bash cannot be read: Is a directory"):
        completion_files.check(tmp_path, _scripts())


def test_a_file_cut_short_differs(tmp_path: Path) -> None:
    for shell, script in _scripts().items():
        (tmp_path / FILE_NAMES[shell]).write_text(script.strip())
    with pytest.raises(CompletionsDiffer, match="from line 2 on"):
        completion_files.check(tmp_path, _scripts())


def test_bash_files_go_where_bash_completion_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.delenv("BASH_COMPLETION_USER_DIR", raising=False)
    expected = Path("/data/bash-completion/completions/atectl")
    assert completion_files.user_file(Shell.bash) == expected
    monkeypatch.setenv("BASH_COMPLETION_USER_DIR", "/mine:/other")
    assert completion_files.user_file(Shell.bash) == Path("/mine/completions/atectl")


def test_a_relative_base_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    expected = Path("/home/user/.config/fish/completions/atectl.fish")
    assert completion_files.user_file(Shell.fish) == expected


def test_installing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "dotfiles", tmp_path / "atectl.fish"
    target.write_text("old")
    link.symlink_to(target)
    assert completion_files.install(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_what_was_installed_is_uninstalled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BASH_COMPLETION_USER_DIR", raising=False)
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for shell in Shell:
        dispatch(["completions", "install", shell])
    capsys.readouterr()
    assert dispatch(["completions", "uninstall"]) == 0
    paths = [completion_files.user_file(shell) for shell in Shell]
    assert capsys.readouterr().out.splitlines() == [f"removed {path}" for path in paths]
    assert not [path for path in paths if path.exists()]
    assert dispatch(["completions", "uninstall", "zsh"]) == 0
    assert capsys.readouterr().out == f"not there: {completion_files.user_file(Shell.zsh)}\n"


def test_a_file_that_is_not_of_atectl_is_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "atectl"
    path.write_text("# of somebody else\n")
    assert not completion_files.uninstall(path)
    assert path.exists()


def test_of_a_link_the_link_alone_is_removed(tmp_path: Path) -> None:
    target, link = tmp_path / "dotfiles", tmp_path / "atectl.fish"
    target.write_bytes(b"# fish, " + completion_files.OWN_MARK)
    link.symlink_to(target)
    assert completion_files.uninstall(link)
    assert target.exists()


def test_an_interrupted_install_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "atectl"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CompletionsUnwritable, match="No space left on device"):
        completion_files.install(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "atectl"
    with pytest.raises(CompletionsUnwritable, match=f"cannot write {path}"):
        completion_files.install(path, "script")
