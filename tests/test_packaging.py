"""What a wheel has to hold: every file that the installed program reads."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("atectl", "commands", "completions", "pyproject.toml", "README.md", "LICENSE")
BACKEND = 77
"""The version of setuptools that pyproject.toml asks for."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as it is built from these sources, and from nothing that an earlier build left."""
    if int(version("setuptools").partition(".")[0]) < BACKEND:
        pytest.skip(f"setuptools {BACKEND} is not installed: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, copy = ROOT / name, folder / "project" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*build, "--wheel-dir", str(folder), str(folder / "project")], check=True, timeout=110
    )
    [path] = folder.glob("atectl-*.whl")
    return zipfile.ZipFile(path)


def test_every_file_of_the_program_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Setuptools leaves out in silence what `package-data` does not name."""
    there = {
        str(path.relative_to(ROOT)).replace("commands/", "atectl/commands/", 1)
        for top in ("atectl", "commands")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix != ".md" and "__pycache__" not in path.parts
    }
    assert there - set(wheel.namelist()) == set()
    assert "atectl/commands/completions/templates/atectl.bash" in there


def test_a_wheel_completes_in_every_shell(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """From its templates it writes what is checked in."""
    wheel.extractall(tmp_path)
    program = "from atectl.commands.main import main; main()"
    checked = subprocess.run(
        [sys.executable, "-c", program, "completions", "check", str(ROOT / "completions")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
