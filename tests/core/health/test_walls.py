"""Which walls this machine has, as doctor tells it."""

from pathlib import Path

from atectl.finding import Verdict
from atectl.health.walls import check_walls, found
from atectl.system.walls import folders


def test_where_all_walls_hold_they_are_named() -> None:
    finding = found([("memory", True, "1 GiB"), ("folders", True, "those granted")])
    assert finding.verdict is Verdict.OK
    assert finding.found == "all hold: memory, folders"


def test_a_wall_that_is_not_here_is_told_with_its_reason() -> None:
    finding = found([("memory", True, "1 GiB"), ("folders", False, "no Landlock")])
    assert finding.verdict is Verdict.WARNING
    assert finding.found == "not here: folders: no Landlock"
    assert "Landlock" in finding.remedy


def test_the_walls_of_this_machine_are_tried_in_another_process() -> None:
    finding = check_walls()
    expected = Verdict.WARNING if folders._version() < 2 else Verdict.OK
    assert finding.verdict is expected, finding.found
    assert Path("/etc/passwd").read_text()
