"""Takes the pictures of the pages, of the real program on a real terminal.

python -m tests.support.pictures
"""

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.conftest import CAPSULES, ROOT
from tests.support.cells import Cell
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen
from tests.support.real_capsules import CPYTHON

PICTURES = ROOT / "fixtures" / "pictures"
COLUMNS = 110

_CAPSULES = {
    "hello.wasm": "hello.wat",
    "report.wasm": "grow-by-steps.wat",
    "api.wasm": "never-stops-growing.wat",
    "fuzz.wasm": "spin.wat",
}
"""The fixtures that principals run, by the names they go by in the pictures."""

# Rich's own frame, but with fonts that the reader has: a picture fetches nothing.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font: bold 18px sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">{matrix}</g>
  </g>
</svg>
"""

# A program whose memory grows until it has what it wants, or its quota holds it.
_LOAD = """\
import sys
import time

batches = []
for number in range(1, int(sys.argv[1]) + 1):
    try:
        batches.append(bytearray(8 << 20))
    except MemoryError:
        print(f"batch {number} does not fit; going on with {len(batches)}", flush=True)
        break
    print(f"batch {number} loaded", flush=True)
    time.sleep(0.5)
time.sleep(60)
"""


class Photographed(PtyScreen):
    """`atectl` on a terminal, as typed in a folder, whose screen can be had in colour."""

    def __init__(self, command: str, folder: Path, *, rows: int) -> None:
        in_folder = f"cd {shlex.quote(str(folder))} && exec {shlex.join(_argv(command))}"
        super().__init__(
            ["/bin/sh", "-c", in_folder], _environment(folder), columns=COLUMNS, rows=rows
        )
        self.command = command

    def write_picture(self, name: str) -> None:
        """Draw the command behind a prompt and the screen below it.

        Raises:
            AssertionError: the picture tells something of the machine it was taken on.
        """
        console = Console(file=StringIO(), record=True, width=COLUMNS)
        console.print(Text.assemble(("$ ", "green"), (self.command, "bold")))
        for row in self.cells:
            console.print(_styled(row), no_wrap=True, overflow="crop")
        svg = console.export_svg(title=_title(self.command), code_format=_SVG, unique_id=name)
        for private in (str(ROOT), tempfile.gettempdir(), os.uname().nodename):
            assert private not in svg, f"{name}.svg shows {private}"
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.svg").write_text(svg)


def _title(command: str) -> str:
    words = command.split()
    return " ".join(words[: 3 if words[1] == "ledger" else 2])


def _argv(command: str) -> list[str]:
    return [ATECTL, *shlex.split(command)[1:]]


def _environment(folder: Path) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("STATE", "CACHE", "CONFIG")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATECTL_")}
    kept.pop("NO_COLOR", None)
    return {**kept, **homes, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}


def _styled(row: Sequence[Cell]) -> Text:
    line = Text(no_wrap=True)
    for cell in row:
        style = Style(
            color=_colour(cell.foreground),
            bgcolor=_colour(cell.background),
            bold=cell.is_bold,
            dim=cell.is_faint,
            underline=cell.is_underlined,
            reverse=cell.is_reverse,
        )
        line.append(cell.text, style)
    line.rstrip()
    return line


def _colour(name: str) -> str | None:
    """Rich's name for a colour of a cell."""
    if name == "default":
        return None
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return name.replace("bright", "bright_")


def take_run(folder: Path) -> None:
    """A guest that grows, is refused, and goes on, with the live table below its output."""
    command = "atectl run --principal alice --max-mem 64MiB --dir . python.wasm load.py 9"
    with Photographed(command, folder, rows=24) as screen:
        screen.until_shown("does not fit")
        watch(screen, seconds=0.5)
        screen.write_picture("run")


def take_ledger_top(folder: Path) -> None:
    """The accounts of several principals, two of which run something in other processes."""
    finish("atectl ledger reset --all --yes", folder)
    for words in (
        "--principal web hello.wasm",
        "--principal nightly report.wasm",
        "--principal tenant-7 --max-mem 16MiB api.wasm",
        "--principal fuzzing --deadline 400ms fuzz.wasm",
    ):
        finish(f"atectl run {words}", folder)
    with (
        running("atectl run --principal alice --dir . python.wasm load.py 4", folder),
        running("atectl run --principal bob --dir . python.wasm load.py 9", folder),
        Photographed("atectl ledger top", folder, rows=17) as screen,
    ):
        screen.until_shown("running leases: 2")
        screen.send("i")
        screen.until(lambda: "nightly" in screen.text and "/s" in screen.text)
        screen.write_picture("ledger-top")


def watch(screen: PtyScreen, *, seconds: float) -> None:
    """Go on reading what the program shows."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert screen.read(), f"the program ended:\n{screen.text}"


def finish(command: str, folder: Path) -> None:
    """Run the command to its end, whatever that is, with nobody looking."""
    with _begun(command, folder) as process:
        process.wait()


@contextmanager
def running(command: str, folder: Path) -> Iterator[None]:
    """The command in a process of its own, until the picture is taken."""
    with _begun(command, folder) as process:
        try:
            yield
        finally:
            process.terminate()


def _begun(command: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _argv(command),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def furnish(folder: Path) -> None:
    """Put there what the commands name, and compile CPython: no picture is of that."""
    (folder / "load.py").write_text(_LOAD)
    (folder / "python.wasm").symlink_to(CPYTHON)
    for name, fixture in _CAPSULES.items():
        (folder / name).symlink_to(CAPSULES / fixture)
    finish("atectl run --ledger none python.wasm -c pass", folder)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        furnish(folder)
        take_run(folder)
        take_ledger_top(folder)


if __name__ == "__main__":
    main()
