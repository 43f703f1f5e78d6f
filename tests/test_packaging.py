"""What is built: a wheel with every file that the program reads, and sources that are enough."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (".ci", "atectl", "commands", "completions", "fixtures", "tests")
FILES = ("pyproject.toml", "MANIFEST.in", "LICENSE")
INDEX_PAGE = ROOT / "fixtures" / "packaging" / "index-page.txt"
WHERE = "\nThe pictures, and the pages that are named here, are in the source distribution.\n"
BACKEND = 77
"""The version of setuptools that pyproject.toml asks for."""

HARMLESS = "byte-compiling is disabled"
"""A warning about the environment of the build, and not about what is built."""


class Built(NamedTuple):
    """What `python -m build` made: the source distribution, of that the wheel, and what it said."""

    sources: tarfile.TarFile
    wheel: zipfile.ZipFile
    told: str


def project_files() -> Iterator[Path]:
    """The files of the project as they are in a clone, without what builds and tests leave."""
    for name in FILES:
        yield ROOT / name
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from these sources, and from nothing that an earlier build left."""
    if int(version("setuptools").partition(".")[0]) < BACKEND:
        pytest.skip(f"setuptools {BACKEND} is not installed: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("built")
    project = folder / "project"
    for path in project_files():
        copy = project / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    ended = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(project)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told
    [sources] = folder.glob("atectl-*.tar.gz")
    [wheel] = folder.glob("atectl-*.whl")
    return Built(tarfile.open(sources), zipfile.ZipFile(wheel), told)


pytestmark = pytest.mark.xdist_group("packaging")


def test_every_file_of_the_program_is_in_the_wheel(built: Built) -> None:
    """Setuptools leaves out in silence what `package-data` does not name."""
    there = {
        str(path.relative_to(ROOT)).replace("commands/", "atectl/commands/", 1)
        for path in project_files()
        if path.relative_to(ROOT).parts[0] in ("atectl", "commands") and path.suffix != ".md"
    }
    assert there - set(built.wheel.namelist()) == set()
    assert "atectl/commands/completions/templates/atectl.bash" in there


def test_the_manual_pages_are_in_the_wheel(built: Built) -> None:
    pages = {path.name for path in (ROOT / "completions" / "man").glob("*.1")}
    there = {
        name.rpartition("/")[2] for name in built.wheel.namelist() if "/share/man/man1/" in name
    }
    assert there == pages


def test_the_source_distribution_has_all_that_a_clone_has(built: Built) -> None:
    """So the README's commands work in it: the tests, and the pages with what they run."""
    there = {name.partition("/")[2] for name in built.sources.getnames()}
    assert {str(path.relative_to(ROOT)) for path in project_files()} - there == set()


def test_a_build_warns_of_nothing(built: Built) -> None:
    warned = re.findall(
        r"^.*(?:\bwarning\b(?!s\.py)|deprecat).*$", built.told, re.IGNORECASE | re.M
    )
    assert [line for line in warned if HARMLESS not in line] == []


def test_the_page_of_an_index_is_made_of_the_readme() -> None:
    """`ATECTL_REDRAW=1 pytest tests/test_packaging.py` makes it anew."""
    made = index_page((ROOT / "README.md").read_text())
    if os.environ.get("ATECTL_REDRAW"):
        INDEX_PAGE.write_text(made)
    assert INDEX_PAGE.read_text() == made


def index_page(readme: str) -> str:
    """The README with neither pictures nor links to files, which lead nowhere on an index; the
    words of links stay."""
    bare = re.sub(r"^!\[[^]]*\]\([^)]*\)\n\n?|^<!--.*?-->\n", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^]]*)\]\((?!https?://)[^)]*\)", r"\1", bare) + WHERE


def test_the_page_of_an_index_shows_no_picture_and_leads_to_no_file(built: Built) -> None:
    [name] = [name for name in built.wheel.namelist() if name.endswith(".dist-info/METADATA")]
    _, _, page = built.wheel.read(name).decode().partition("\n\n")
    assert page.startswith("# atectl\n")
    assert [target for target in re.findall(r"\]\(([^)]*)\)", page) if "://" not in target] == []
    assert "![" not in page
    assert "<!--" not in page


def test_a_wheel_completes_in_every_shell(built: Built, tmp_path: Path) -> None:
    """From its templates it writes what is checked in."""
    built.wheel.extractall(tmp_path)
    program = "from atectl.commands.main import main; main()"
    checked = subprocess.run(
        [sys.executable, "-c", program, "completions", "check", str(ROOT / "completions")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
