"""What the cores do that this process may use."""

import os
import time
from pathlib import Path

import pytest

from atectl.system import cores


def test_idle_time_never_falls_and_grows_no_faster_than_all_cores_together() -> None:
    began_s, told = time.monotonic(), [cores.idle_s() or 0.0]
    while time.monotonic() < began_s + 0.1:
        told.append(cores.idle_s() or 0.0)
    most_s = (time.monotonic() - began_s) * len(os.sched_getaffinity(0)) + 0.1
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] <= told[0] + most_s


@pytest.mark.parametrize(("allowed", "idle_s"), [({0}, 11.0), ({1}, 22.0), ({0, 1}, 33.0)])
def test_only_the_cores_of_this_process_count(
    allowed: set[int], idle_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    rows = [f"cpu{n} 5 5 5 {10 * (n + 1) * ticks} {(n + 1) * ticks} 0 0" for n in (0, 1)]
    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5\n" + "\n".join(rows) + "\nintr 1\n")
    monkeypatch.setattr(cores, "_STAT", stat)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
    assert cores.idle_s() == idle_s


def test_where_the_system_does_not_tell_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_STAT", tmp_path / "absent")
    assert cores.idle_s() is None
