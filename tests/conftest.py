"""Every test gets homes of its own: none touches the user's ledger, cache or settings.

The tests are shared out to several workers. What must not run beside its like has the mark
`xdist_group`, which sends it to one worker; what takes long has the mark `slow`.
"""

import fcntl
import gc
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.support.program import ATECTL
from tests.support.real_capsules import CPYTHON

if TYPE_CHECKING:
    from atectl.engine.metered import Engine

pytest_plugins = ["tests.support.redis_servers", "tests.support.small_disks"]

ROOT = Path(__file__).resolve().parent.parent
CAPSULES = ROOT / "fixtures" / "capsules"

OF_THE_USER = (
    *("ATECTL_LEDGER", "ATECTL_CONFIG", "ATECTL_DEBUG", "ATECTL_REDIS_URL"),
    *("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS", "LINES"),
    *("TTY_COMPATIBLE", "TTY_INTERACTIVE"),
)
"""Variables that change what is shown or where things are: no test has them from outside."""

# A property is no timed test, and a busy machine no counterexample. New examples are looked for
# where somebody can look into them; in CI the same ones are tried each time.
hypothesis.settings.register_profile(
    "atectl", deadline=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("atectl")


def pytest_configure() -> None:
    """Have programs hear what is ignored here, as it is where tests run in the background."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            # What is handled here has its default in a program that is started.
            signal.signal(number, lambda _number, _frame: None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores, as many tests wait for a process or a server.

    None for a few tests: those of files that are named, of `-k`, or of `--lf`.
    """
    is_whole = all(Path(argument).is_dir() for argument in config.args)
    is_few = config.option.keyword or config.getoption("lf", default=False)
    return len(os.sched_getaffinity(0)) + 1 if is_whole and not is_few else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: garbage is not to be looked for in it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that all workers of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(shared_folder: Path) -> Iterator[Path]:
    """The cache of what begins before any test, and of the tests that share it."""
    folder = shared_folder / "cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    with pytest.MonkeyPatch.context() as session:
        session.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def _compiled_cpython(shared_folder: Path, _shared_cache: Path) -> None:
    done = shared_folder / "compiled-cpython"
    environment = {**os.environ, "XDG_CACHE_HOME": str(_shared_cache), "ATECTL_LEDGER": "none"}
    words = [ATECTL, "run", "--compile-deadline", "10m", str(CPYTHON), "-c", "pass"]
    # Compiling takes all cores for seconds: one worker does it, and the others wait.
    with (shared_folder / "compiling-cpython").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run(words, env=environment, check=True, timeout=600)
            done.touch()


@pytest.fixture
def shared_cache(private_homes: Path, _shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that tests share which run ordinary capsules: each is compiled once for all."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(_shared_cache))


@pytest.fixture
def compiled_capsules(shared_cache: None, _compiled_cpython: None) -> None:
    """The same, and it holds CPython, which takes seconds to compile."""


@pytest.fixture(scope="module")
def engine() -> Iterator["Engine"]:
    """An engine that the tests of a module share."""
    from atectl.engine.metered import Engine

    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may look into, wherever this user's own are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can, so that what is not guarded breaks soon."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(scope="session")
def _new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a folder for a test; pytest would look through those of all tests before it."""
    numbers = itertools.count()

    def make(name: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / f"{name}-{next(numbers)}"
        folder.mkdir(mode=0o700)
        return folder

    return make


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, _new_folder: Callable[[str], Path]) -> Path:
    """A folder of the test's own, as pytest's fixture of this name."""
    return _new_folder(re.sub(r"\W", "_", request.node.name)[:30])


@pytest.fixture(autouse=True)
def private_homes(_new_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    home = _new_folder("home")
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        folder = home / variable.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(folder))
    for variable in OF_THE_USER:
        monkeypatch.delenv(variable, raising=False)
    return home
