"""A batch survives modules that nobody wrote, with a verdict on each."""

from pathlib import Path

from tests.faults import hostile_modules

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
