"""The console blocks of a Markdown page: what to type, and what is shown then."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ANYTHING = "…"
"""In expected output: any text within a line, or, alone on its line, any number of lines."""

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+) -->\n\n?)?^```console\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_END = "\x1e\n"
_MARK_END = "{ status=$?; printf '\\036\\n'; (exit $status); }"


class Step(NamedTuple):
    """One command, and the lines it is to show."""

    command: str
    expected: list[str]


class Block(NamedTuple):
    """One fenced block. `not_run` is the reason given for skipping it, if any."""

    line: int
    steps: list[Step]
    not_run: str | None


def console_blocks(page: str) -> list[Block]:
    """Every block fenced as `console`, in order.

    In it, `$ ` begins a command and the lines up to the next are what it shows. A comment
    `<!-- not run: REASON -->` right above has the block skipped.
    """
    return [
        Block(page.count("\n", 0, match.start("body")), _steps(match["body"]), match["reason"])
        for match in _BLOCK.finditer(page)
    ]


def run_block(block: Block, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Type the commands of a block into one bash; what each showed on stdout and stderr.

    Nothing that they start is left running.
    """
    script = "".join(f"{step.command}\n{_MARK_END}\n" for step in block.steps)
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            shown, _ = shell.communicate(timeout=100)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return shown.split(_END)[:-1]


def differences(block: Block, shown: list[str]) -> str:
    """What a block shows otherwise than it says; empty if nothing."""
    faults = [
        f"$ {step.command}\nsays:\n{_indented(step.expected)}\nshows:\n{_indented(lines)}"
        for step, lines in zip(block.steps, map(_lines, shown), strict=False)
        if not _matches(step.expected, lines)
    ]
    if len(shown) != len(block.steps):
        faults.append(f"only {len(shown)} of {len(block.steps)} commands were run")
    return "\n".join(faults)


def _steps(body: str) -> list[Step]:
    steps: list[Step] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], []))
        elif steps:
            steps[-1].expected.append(line.rstrip())
        else:
            raise ValueError(f"a console block begins with `$ `, not with {line!r}")
    return steps


def _lines(shown: str) -> list[str]:
    return [line.rstrip() for line in shown.splitlines()]


def _matches(expected: list[str], lines: list[str]) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?"
        if line == ANYTHING
        else ".*?".join(map(re.escape, line.split(ANYTHING))) + r"\n"
        for line in expected
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
