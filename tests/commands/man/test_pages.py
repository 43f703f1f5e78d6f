"""The manual pages: made from the commands, checked in, and without fault to who reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from atectl import __version__
from atectl.commands.man.pages import check_pages, page_of, write_pages
from atectl.commands.man.roff import manual_pages
from atectl.commands.options.tree import CommandLine, read_tree
from atectl.errors import ManualDiffers, ManualUnwritable
from tests.support.program import atectl

CHECKED_IN = Path(__file__).resolve().parents[3] / "completions" / "man"
PAGES = manual_pages(read_tree())


def test_the_pages_that_are_checked_in_are_up_to_date() -> None:
    """If this fails: `atectl man write man`."""
    check_pages(CHECKED_IN)


def test_each_command_or_group_has_a_page_and_is_named_on_the_first() -> None:
    tree = read_tree()
    names = {command.path[0] for command in tree.subcommands} - {"top", "ps"}
    assert PAGES.keys() == {"atectl.1", *(f"atectl-{name}.1" for name in names)}
    assert all(f".BR atectl\\-{name} (1)" in PAGES["atectl.1"] for name in names)


@pytest.mark.parametrize("command", [each for each in read_tree().walk() if len(each.path) != 1])
def test_a_page_names_every_option_of_its_commands(command: CommandLine) -> None:
    page = command.page
    name = f"atectl-{command.path[0]}.1" if command.path else "atectl.1"
    for option in page.options:
        for each in option.names:
            assert each.replace("-", "\\-") in PAGES[name]
    for example in page.examples:
        assert example.line.replace("-", "\\-") in PAGES[name]


@pytest.mark.parametrize(
    "lint", [("groff", "-man", "-ww", "-z"), ("mandoc", "-T", "lint", "-W", "warning")]
)
def test_programs_for_manual_pages_find_no_fault(lint: tuple[str, ...]) -> None:
    if shutil.which(lint[0]) is None:
        pytest.skip(f"{lint[0]} is not installed")
    pages = sorted(map(str, CHECKED_IN.glob("*.1")))
    told = subprocess.run([*lint, *pages], capture_output=True, text=True, timeout=60)
    lines = [*told.stdout.splitlines(), *told.stderr.splitlines()]
    # Pages have no date, so that the same commands give the same pages.
    assert [line for line in lines if "missing date" not in line] == []


def test_what_roff_would_obey_is_text() -> None:
    from atectl.commands.man.roff import _escaped

    assert _escaped(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert _escaped("'br") == "\\&'br"
    assert _escaped("a\\fBb") == "a\\efBb"
    assert _escaped("…") == "\\[u2026]"


def test_written_pages_pass_the_check_and_pages_of_no_command_are_removed(tmp_path: Path) -> None:
    gone = tmp_path / "atectl-gone.1"
    gone.write_text(PAGES["atectl-run.1"].replace(f'"atectl {__version__}"', '"atectl 0.0.9"'))
    others = {"other.1", "atectl-notes.1", "atectlet.1", "atectl-folder.1"}
    for name in others - {"atectl-folder.1"}:
        (tmp_path / name).write_text('.TH "ATECTL\\-NOTES" 1 "" "mine" ""\n')
    (tmp_path / "atectl-folder.1").mkdir()
    assert write_pages(tmp_path) == len(PAGES)
    check_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*PAGES, *others}


def test_a_page_that_lags_behind_is_named(tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "atectl-run.1").write_text("old")
    with pytest.raises(ManualDiffers, match=r"atectl-run\.1 differs"):
        check_pages(tmp_path)
    (tmp_path / "atectl-run.1").unlink()
    with pytest.raises(ManualDiffers, match=r"atectl-run\.1 is missing"):
        check_pages(tmp_path)


def test_a_page_of_no_command_is_named(tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "atectl-gone.1").write_text(PAGES["atectl-run.1"])
    with pytest.raises(ManualDiffers, match=r"atectl-gone\.1 is the page of no command"):
        check_pages(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ManualUnwritable, match="file"):
        write_pages(tmp_path / "file")


def test_show_prints_a_page_and_refuses_what_is_no_command() -> None:
    assert atectl("man", "show", "run").stdout == page_of("run")
    assert atectl("man", "show").stdout == page_of(None)
    refused = atectl("man", "show", "rnu")
    assert (refused.status, refused.stdout) == (2, "")
    assert "did you mean run" in refused.stderr
