"""The table of mistakes, `tests/commands/mistakes.txt`: what is typed, what answers it.

An entry is `$ ` and what is typed; the lines that are shown, stdout and stderr together; and
`= STATUS`. In a line `…` stands for what varies; alone on a line, for any lines. Only the first
lines of a long answer are there, and `…` behind them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.support.wasm_bytes import MODULE_HEADER, custom

TABLE = ROOT / "tests" / "commands" / "mistakes.txt"


class Mistake(NamedTuple):
    """One entry of the table."""

    typed: str
    shown: tuple[str, ...]
    status: int


def mistakes() -> list[Mistake]:
    """Every entry, in order."""
    found: list[Mistake] = []
    typed, shown = "", list[str]()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            typed, shown = line[2:], []
        elif line.startswith("= "):
            found.append(Mistake(typed, tuple(shown), int(line[2:])))
            typed = ""
        elif typed:
            shown.append(line)
    return found


def lay_out(folder: Path) -> None:
    """Put what the mistakes are made with into a folder."""
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    (folder / "big.wasm").write_bytes(MODULE_HEADER + custom("padding", bytes(5000)))
    (folder / "budget.toml").write_text("# What the host may use.\n[host]\n")
    (folder / "bars.py").write_text("import sys\n")
    (folder / "many.jsonl").write_text('{"capsule": "fixtures/capsules/hello.wat"}\n')
    (folder / "chart.svg").write_text("<svg></svg>\n")


def type_it(typed: str, folder: Path, environment: Mapping[str, str]) -> tuple[str, int]:
    """Type a line into bash; what it shows, and the exit status of its last command."""
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", typed],
        cwd=folder,
        env={**os.environ, **own, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
    )
    return ran.stdout.decode("utf-8", "replace"), ran.returncode


def is_as_told(shown: str, expected: tuple[str, ...]) -> bool:
    """Whether what was shown is what the table says."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"[ ]*\n"
        for line in expected
    )
    return re.fullmatch(pattern, shown) is not None
