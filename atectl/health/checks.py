"""Whether atectl can do its work here: checks, each with its verdict and what to do.

Checking changes nothing: a cache or a ledger that does not exist yet is not created.
"""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Annotated, NamedTuple

from atectl import __version__, config
from atectl.capsule.cache import ArtifactCache
from atectl.errors import AtectlError, BadConfiguration, InternalError
from atectl.finding import Finding, Verdict
from atectl.health.machine import (
    check_address_space,
    check_memory,
    check_overcommit,
    check_process_identity,
    check_resource_limits,
)
from atectl.health.self_test import printed_by
from atectl.health.walls import check_walls
from atectl.records.types import Mark
from atectl.units import counted, format_size, show_size


class Check(NamedTuple):
    """One check."""

    name: str
    """What was checked."""
    finding: Annotated[Finding, Mark.INLINE]
    """What was found."""


class HealthReport(NamedTuple):
    """Whether atectl can do its work here."""

    verdict: Annotated[Verdict, (Verdict.OK, Verdict.WARNING, Verdict.PROBLEM)]
    """The worst verdict of all checks; skipped ones do not count."""
    checks: tuple[Check, ...]
    """The checks."""


_SELF_TEST = "from atectl.engine.selftest import self_test; print(*self_test())"
_BOUND = re.compile(r"(>=|<)\s*([0-9]+(?:\.[0-9]+)*)")
_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_AFTER_NAME = re.compile(r"[^A-Za-z0-9._-]")


def examine() -> list[Check]:
    """Make all checks. One that fails to work is reported as a problem, not as an exception."""
    checks = [
        Check("atectl", Finding(Verdict.OK, __version__)),
        Check("Python", Finding(Verdict.OK, f"{platform.python_version()}, {sys.executable}")),
    ]
    checks += check_requirements(_requirements())
    checks += [Check(name, _finding_of(look)) for name, look in _CHECKS.items()]
    return checks


def report() -> HealthReport:
    """Make all checks, and sum them up."""
    checks = examine()
    return HealthReport(worst_verdict(checks), tuple(checks))


def worst_verdict(checks: Iterable[Check]) -> Verdict:
    """`PROBLEM` if any check found one, else `WARNING` if any gave one, else `OK`."""
    found = {check.finding.verdict for check in checks}
    return next((v for v in (Verdict.PROBLEM, Verdict.WARNING) if v in found), Verdict.OK)


def _finding_of(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except BadConfiguration:
        return Finding(Verdict.SKIPPED, "the configuration may say where, and cannot be used")
    except AtectlError as error:
        return Finding(Verdict.PROBLEM, str(error), error.remedy)
    except Exception as error:
        # One failure must not hide the findings of the other checks.
        reason = f"the check failed: {type(error).__name__}: {error}"
        return Finding(Verdict.PROBLEM, reason, InternalError.default_remedy)


# The installation


def check_requirements(requirements: Iterable[str]) -> list[Check]:
    """One check for each library: installed, in a version that atectl was tested with.

    Args:
        requirements: as in a package's metadata (`typer<0.29,>=0.26`); bounds are `>=` and `<`.
    """
    checks = []
    for requirement in requirements:
        name = _AFTER_NAME.split(requirement, maxsplit=1)[0]
        bounds = requirement.removeprefix(name).strip().split(",")
        checks.append(Check(name, _installed(name, ",".join(sorted(bounds, reverse=True)))))
    return checks


def _requirements() -> list[str]:
    """The requirements that atectl declares; none if it runs without having been installed."""
    try:
        declared = metadata.requires("atectl") or []
    except metadata.PackageNotFoundError:
        return []
    return sorted(requirement for requirement in declared if ";" not in requirement)


def _installed(name: str, bounds: str) -> Finding:
    remedy = f"`pip install '{name}{bounds}'`"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(Verdict.PROBLEM, "not installed", remedy)
    if not is_within(version, bounds):
        return Finding(Verdict.PROBLEM, f"{version}, where {bounds} is needed", remedy)
    return Finding(Verdict.OK, f"{version}, needs {bounds}")


def is_within(version: str, bounds: str) -> bool:
    """Whether a version is within every bound of `bounds`, each of which is `>=` or `<`."""
    release = _release(version)
    return all(
        release >= _release(bound) if operator == ">=" else release < _release(bound)
        for operator, bound in _BOUND.findall(bounds)
    )


def _release(version: str) -> tuple[int, ...]:
    match = _RELEASE.match(version)
    numbers = [int(number) for number in match[0].split(".")] if match else []
    while numbers and numbers[-1] == 0:  # 51.0 is 51
        numbers.pop()
    return tuple(numbers)


def check_engine() -> Finding:
    """Run the engine's self-test in another process, since a broken engine may end its process.

    Raises:
        EngineUntrusted: the engine cannot be loaded, or does not meter as it should (exit 125).
        PythonNotStarted: there is no process for the test (exit 125).
    """
    printed = printed_by(_SELF_TEST, "the self-test")
    _, granted_bytes, refused_growths = map(int, printed.split())
    return Finding(
        Verdict.OK,
        f"a guest got the {format_size(granted_bytes)} of its quota, was refused "
        f"{refused_growths} growth beyond it, and gave all back",
    )


# The files of atectl


def check_configuration() -> Finding:
    """Check that atectl.toml can be read, if there is one."""
    try:
        path = config.config_path()
        config.load_settings()
    except BadConfiguration as error:
        return Finding(Verdict.PROBLEM, str(error), error.remedy)
    if not _is_there(path):
        return Finding(Verdict.OK, f"{path}: there is none, which is fine")
    return Finding(Verdict.OK, f"{path}: read")


def check_cache() -> Finding:
    """Check that compiled capsules can be kept.

    Raises:
        CacheUnusable: the folder cannot be opened, or others may use it (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    path, max_bytes = config.cache_dir(), config.cache_max_bytes()
    if not _is_there(path):
        return _not_there_yet(path)
    with ArtifactCache.open(path, max_bytes=max_bytes) as cache:
        entries = cache.entries()
    if not os.access(path, os.W_OK | os.X_OK):
        remedy = "make it writable for this user, or set XDG_CACHE_HOME"
        return Finding(Verdict.PROBLEM, f"{path}: the folder cannot be written to", remedy)
    total = show_size(sum(entry.size_bytes for entry in entries))
    capsules = counted(len(entries), "compiled capsule")
    return Finding(Verdict.OK, f"{path}: {capsules}, {total} of {show_size(max_bytes)}")


def check_ledger() -> Finding:
    """Check that the stored ledger is sound, and can be read and written.

    Raises:
        LedgerError: it is damaged, or cannot be opened, read or written (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    path = config.ledger_place()
    if path is None:
        return Finding(Verdict.SKIPPED, "no ledger is kept: its place is given as 'none'")
    if isinstance(path, str):
        return _check_server(path)
    if not _is_there(path):
        if path == config.default_ledger_path():
            return _not_there_yet(path)
        remedy = "check ATECTL_LEDGER and atectl.toml, or have a run with --ledger make it"
        return Finding(Verdict.PROBLEM, f"{path}: there is no such file", remedy)
    from atectl.ledger_store.sqlite.inspection import inspect_ledger

    seen = inspect_ledger(path)
    accounts = counted(seen.accounts, "account")
    return Finding(Verdict.OK, f"{path}: schema version {seen.schema_version}, {accounts}, sound")


def _check_server(url: str) -> Finding:
    from contextlib import closing

    from atectl.ledger_store.opening import open_for_reading

    with closing(open_for_reading(url)) as store:
        accounts = counted(len(store.accounts()), "account")
    return Finding(Verdict.OK, f"the server of the ledger answers: {accounts}")


def _is_there(path: Path) -> bool:
    """Whether something has this name, or may have: opening it tells what is wrong then."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def _not_there_yet(path: Path) -> Finding:
    """The finding for a file or folder that the first run creates: whether it can do so."""
    above = next(parent for parent in path.parents if _is_there(parent))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Finding(Verdict.OK, f"{path}: not there yet; the first run makes it")
    reason = f"{path}: not there, and cannot be made: {above} is not a writable folder"
    return Finding(Verdict.PROBLEM, reason, f"make {above} a folder that this user may write to")


_CHECKS: dict[str, Callable[[], Finding]] = {
    "configuration": check_configuration,
    "cache": check_cache,
    "ledger": check_ledger,
    "engine": check_engine,
    "memory": check_memory,
    "resource limits": check_resource_limits,
    "address space": check_address_space,
    "overcommit": check_overcommit,
    "process identity": check_process_identity,
    "walls": check_walls,
}
