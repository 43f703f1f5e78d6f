"""Installs a wheel as users do: with pip for each Python, with other installers for the newest.

`python -m tests.support.installs [WHEEL]` tells for each whether what was installed runs a capsule;
the status is 1 if one does not. Without WHEEL it builds one. Pythons are looked for on PATH and
among those of pyenv; pipx and uv too, and where they are missing, they are left out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CAPSULE = ROOT / "fixtures" / "capsules" / "hello.wat"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
OUTPUT = "hello from a capsule\n"


def pythons() -> Iterator[tuple[str, str]]:
    """Each version that is at hand, and a Python of it that runs."""
    for version in VERSIONS:
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        named = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
        for python in filter(None, named):
            if _runs(str(python), "-c", "import ensurepip, venv"):
                yield version, str(python)
                break


def installed(installer: str, python: str, wheel: Path, folder: Path) -> Path:
    """Where the program is, after `wheel` was installed for one Python.

    Raises:
        subprocess.CalledProcessError: it could not be installed.
    """
    tools = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    if installer == "pip":
        _do(python, "-m", "venv", folder)
        _do(folder / "bin" / "python", "-m", "pip", "install", "-q", wheel)
        return folder / "bin" / "atectl"
    places = {
        "pipx": {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin")},
        "uv": {"UV_TOOL_DIR": str(folder / "uv"), "UV_TOOL_BIN_DIR": str(folder / "bin")},
    }
    words = {
        "pipx": ("pipx", "install", "--quiet", "--python", python, wheel),
        "uv": ("uv", "tool", "install", "--quiet", "--python", python, wheel),
    }
    _do(*words[installer], environment={**os.environ, **tools, **places[installer]})
    return folder / "bin" / "atectl"


def trial(installer: str, python: str, wheel: Path) -> str:
    """What went wrong when `wheel` was installed and a capsule was run; empty if nothing did."""
    with tempfile.TemporaryDirectory(prefix="atectl-installs-") as name:
        folder = Path(name)
        try:
            program = installed(installer, python, wheel, folder)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        homes = {f"XDG_{each}_HOME": str(folder / each) for each in ("STATE", "CACHE", "CONFIG")}
        ran = subprocess.run(
            [program, "run", CAPSULE],
            capture_output=True, text=True, cwd=folder, env={**os.environ, **homes}, timeout=100,
        )  # fmt: skip
        return "" if (ran.returncode, ran.stdout, ran.stderr) == (0, OUTPUT, "") else str(ran)


def built(folder: Path) -> Path:
    """A wheel of these sources."""
    _do(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def main() -> int:
    """Try them all; the exit status."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="atectl-wheel-") as folder:
        wheel = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else built(Path(folder))
        found = list(pythons())
        trials = [("pip", *each) for each in found]
        trials += [(each, *found[-1]) for each in ("pipx", "uv") if shutil.which(each)]
        with ThreadPoolExecutor(os.cpu_count()) as several:
            told = several.map(lambda each: trial(each[0], each[2], wheel), trials)
            for (installer, version, _), fault in zip(trials, told, strict=True):
                print(f"Python {version}, {installer}: {fault or 'runs'}", flush=True)
                faults += bool(fault)
    return 1 if faults else 0


def _runs(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, timeout=60).returncode == 0


def _do(*words: str | Path, environment: dict[str, str] | None = None) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, env=environment, timeout=300)


if __name__ == "__main__":
    sys.exit(main())
