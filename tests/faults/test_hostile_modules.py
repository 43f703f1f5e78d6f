"""A batch survives modules that nobody wrote, with a verdict on each."""

import json
from pathlib import Path

from tests.faults import hostile_modules
from tests.support.program import atectl

MIB = 1 << 20


def test_each_random_or_damaged_module_gets_a_verdict_of_its_own(tmp_path: Path) -> None:
    paths = [
        *hostile_modules.make_random(tmp_path, range(40)),
        *hostile_modules.make_damaged(tmp_path, range(40)),
    ]
    assert len(paths) > 60
    survived = hostile_modules.run(paths)
    assert survived.status == 1, survived.stderr
    assert survived.without_verdict(len(paths)) == []
    assert survived.peak_resident_bytes < 120 * MIB


def test_each_of_them_that_is_loaded_has_a_verdict_that_blames_it(tmp_path: Path) -> None:
    paths = [
        *hostile_modules.make_random(tmp_path, range(40, 60)),
        *hostile_modules.make_damaged(tmp_path, range(40, 60)),
    ]
    told = atectl(
        "load", "-", "-o", "json", "--no-cache", stdin="\n".join(map(str, paths)).encode()
    )
    rows = json.loads(told.stdout)["capsules"]
    assert [row["path"] for row in rows] == [str(path) for path in paths]
    assert "failed" not in {row["verdict"] for row in rows}
