"""The table under a running guest's output, as it looks at three widths."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from atectl.accounting import Budget, Pressure
from atectl.commands.run.live_view import LiveRun, live_run

MIB, GIB = 1 << 20, 1 << 30

SAMPLE = LiveRun(
    principal="team-blue",
    capsule="python-3.12.0.wasm",
    state="running",
    current_bytes=25 * MIB,
    quota_bytes=64 * MIB,
    peak_bytes=33 * MIB,
    refused_growths=2,
    cpu_s=0.42,
    elapsed_s=71.0,
    pressure=Pressure(70 * MIB, 0, 25 * MIB),
    budget=Budget(8 * GIB),
)


def drawn(sample: LiveRun, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(live_run(sample))
    return [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_is_three_lines_at_any_width(width: int) -> None:
    lines = drawn(SAMPLE, width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width


def test_everything_is_shown_where_there_is_room() -> None:
    head, row, host = drawn(SAMPLE, 120)
    assert head.split() == [
        "PRINCIPAL", "CAPSULE", "STATE", "MEMORY", "PEAK", "REFUSED", "CPU", "ELAPSED",
    ]  # fmt: skip
    assert row.startswith("team-blue  python-3.12.0.wasm  running  ███▏")
    assert "25 MiB / 64 MiB" in row
    assert row.split()[-4:] == ["MiB", "2", "0.42s", "1m11s"]
    assert host == "host pressure 70 MiB of 8 GiB, below the soft limit of 6.4 GiB"


def test_memory_and_principal_are_kept_where_it_is_narrow() -> None:
    _, row, _ = drawn(SAMPLE, 60)
    assert row.startswith("team-blue")
    assert "25 MiB" in row


def test_the_hosts_line_says_when_the_soft_limit_is_passed() -> None:
    over_soft = replace(SAMPLE, pressure=Pressure(None, 0, 7 * GIB))
    assert "over the soft limit of 6.4 GiB" in drawn(over_soft, 120)[2]
    over = replace(SAMPLE, pressure=Pressure(9 * GIB, 0, 0))
    assert "over the limit" in drawn(over, 120)[2]


def test_a_name_cannot_bring_controls_or_markup() -> None:
    _, row, _ = drawn(replace(SAMPLE, capsule="\x1b[2J[red]x.wasm"), 120)
    assert r"\x1b[2J[red]x.wasm" in row
