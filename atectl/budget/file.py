"""The host budget file: what the whole host may use, and what runs under it.

Files and folders that it names are looked for from its own folder. `atectl budget init` writes
one with a comment for every key.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from atectl.accounting import DEFAULT_SOFT, Budget, Principal
from atectl.arbitration.policies import BACKPRESSURES, PARK_AND_SPILL, POLICY_NAMES, Rules, rules
from atectl.budget.errors import BadBudgetFile, UnsatisfiableBudget
from atectl.budget.jobs import (
    PRIORITIES,
    Allowance,
    Job,
    JobDefaults,
    number_text,
    parse_job,
    shown,
)
from atectl.errors import AtectlError, BadSize, UsageError, nearest
from atectl.system.ceilings import DEFAULT_SHARE, ceilings, tightest
from atectl.units import format_size, parse_duration, parse_size, show_size

MAX_JOBS = 4096
"""The most leases that one host runs at once."""

MAX_INSTANCES = 65_536
"""The most instances of one capsule that a budget counts."""

DEFAULT_SPILL_DIR = Path("/var/tmp")  # noqa: S108 - files there are unlinked as they are made
"""Where spilled memory goes: kept over restarts, so never a folder in memory."""


class HostSettings(NamedTuple):
    """`[host]`: None is what the file leaves to the host that reads it.

    `soft` and `resume` are fractions of the limit; see `resume_share` for a resume of None.
    Without `spill_cap_bytes` the room on the disk is the cap. `jobs` is how many jobs run at once.
    """

    limit_bytes: int | None = None
    soft: float = DEFAULT_SOFT
    resume: float | None = None
    backpressure: str = PARK_AND_SPILL
    policy: str | None = None
    spill_dir: Path = DEFAULT_SPILL_DIR
    spill_cap_bytes: int | None = None
    jobs: int | None = None

    def budget(self, *, root: str = "/") -> Budget:
        """The budget these settings come to on this machine."""
        limit_bytes = self.limit_bytes or default_limit_bytes(root=root)
        return Budget(limit_bytes, self.soft, self.resume_share)

    @property
    def resume_share(self) -> float:
        """The resume threshold: where none is said, the usual one, or as far below a lower soft."""
        if self.resume is not None:
            return self.resume
        usual = Budget(1)
        return round(min(usual.resume, self.soft * usual.resume / usual.soft), 4)

    @property
    def jobs_at_once(self) -> int:
        """How many jobs run at once: as many as there are cores unless it is said."""
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def rules(self) -> Rules:
        """What the arbiter may do under these settings."""
        return rules(self.backpressure, self.policy)

    @property
    def is_guarded(self) -> bool:
        """Whether leases are held back under pressure: a budget too small would hold them all."""
        return self.rules.parks or self.rules.spills


class CapsuleEntry(NamedTuple):
    """`[[capsule]]`: instances of a capsule that the host runs at the same time."""

    path: Path
    principal: Principal
    instances: int
    max_mem_bytes: int


class BudgetFile(NamedTuple):
    """A host budget file. `job_tables` are as they stand there: see `jobs`.

    `host_keys` are the keys that `[host]` sets; the rest of `host` are defaults.
    """

    path: Path
    host: HostSettings
    defaults: JobDefaults
    capsules: tuple[CapsuleEntry, ...]
    job_tables: tuple[Mapping[str, Any], ...]
    host_keys: frozenset[str] = frozenset()

    def jobs(self) -> list[Job]:
        """The jobs of the `[[job]]` tables.

        Raises:
            BadBudgetFile: one of them is no job; the message says which (exit 2).
        """
        found = []
        for number, table in enumerate(self.job_tables, start=1):
            with _naming(_place(self.path, f"job {number}")):
                found.append(parse_job(table, self.defaults))
        return found


def default_limit_bytes(*, root: str = "/") -> int:
    """The limit of a host that names none: a share of the tightest bound that the machine sets.

    Args:
        root: the folder that stands for `/`.
    """
    bound = tightest(ceilings(root=root)).size_bytes or 0
    return max(int(bound * DEFAULT_SHARE), 1)


def refuse_unsatisfiable(budget: Budget, baseline_bytes: int | None, *, is_guarded: bool) -> None:
    """Refuse a limit under which every lease would be parked and none ever resumed.

    Args:
        baseline_bytes: what the host process takes by itself; None, where it cannot be read,
            refuses nothing.
        is_guarded: whether leases are held back under pressure.

    Raises:
        UnsatisfiableBudget: the limit is below the baseline (exit 125).
    """
    if is_guarded and baseline_bytes is not None and not budget.can_hold(baseline_bytes):
        raise UnsatisfiableBudget(
            f"the limit of {budget.limit_bytes} bytes ({show_size(budget.limit_bytes)}) is below "
            f"the {baseline_bytes} bytes ({show_size(baseline_bytes)}) that the host itself takes",
            remedy="raise the limit: above "
            f"{format_size(budget.least_limit_bytes(baseline_bytes))} leases can run without "
            "being parked at once",
        )


def load_budget(path: Path) -> BudgetFile:
    """Read and check a host budget file, but for its jobs, each of which is checked by itself.

    Raises:
        BadBudgetFile: it cannot be read or parsed, or has an unknown key or an unusable value,
            which the message names (exit 2).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except OSError as error:
        raise BadBudgetFile(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadBudgetFile(f"{path}: {error}") from None
    return read_budget(path, text)


def read_budget(path: Path, text: str) -> BudgetFile:
    """The budget that a text describes; `path` is for messages, and its folder for relative paths.

    Raises:
        BadBudgetFile: as `load_budget`.
    """
    import tomllib

    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBudgetFile(f"{path}: {error}") from None
    return parse_budget(path, tables)


def parse_budget(path: Path, tables: Mapping[str, Any]) -> BudgetFile:
    """The budget of a parsed file; `path` is for messages, and its folder for relative paths.

    Raises:
        BadBudgetFile: as `load_budget`.
    """
    _refuse_unknown(str(path), tables, ("host", "defaults", "principals", "capsule", "job"))
    folder = path.parent
    host_table = _table(path, tables, "host")
    host = _host(_place(path, "host"), host_table, folder)
    general = _allowance(_place(path, "defaults"), _table(path, tables, "defaults"), Allowance())
    principals = _principals(path, _table(path, tables, "principals"), general)
    defaults = JobDefaults(general, principals, folder, os.environ)
    capsules = tuple(
        _capsule(_place(path, f"capsule {number}"), table, defaults)
        for number, table in enumerate(_tables(path, tables, "capsule"), start=1)
    )
    jobs = _tables(path, tables, "job")
    return BudgetFile(path, host, defaults, capsules, jobs, frozenset(host_table))


# The tables


def _host(place: str, table: Mapping[str, Any], folder: Path) -> HostSettings:
    values = _values(place, table, _HOST_KEYS)
    if "spill_dir" in values:
        values["spill_dir"] = folder / values["spill_dir"]
    host = HostSettings(**values)
    if host.resume_share > host.soft:
        raise BadBudgetFile(
            f"{place}: resume = {host.resume_share:g} is above soft = {host.soft:g}",
            remedy="leases parked above soft go on below resume: let it be the lower",
        )
    return host


def _allowance(place: str, table: Mapping[str, Any], otherwise: Allowance) -> Allowance:
    return otherwise._replace(**_values(place, table, _ALLOWANCE_KEYS))


def _principals(
    path: Path, tables: Mapping[str, Any], general: Allowance
) -> Mapping[str, Allowance]:
    found = {}
    for name in tables:
        place = _place(path, f"principals.{name}")
        with _naming(place):
            Principal(name)
        found[name] = _allowance(place, _table(path, tables, name, "principals."), general)
    return found


def _capsule(place: str, table: Mapping[str, Any], defaults: JobDefaults) -> CapsuleEntry:
    values = _values(place, table, _CAPSULE_KEYS)
    if "path" not in values:
        raise BadBudgetFile(f"{place}: no path", remedy='every [[capsule]] has a path = "FILE"')
    principal = values.get("principal", Principal())
    return CapsuleEntry(
        path=defaults.folder / values["path"],
        principal=principal,
        instances=values.get("instances", 1),
        max_mem_bytes=values.get("max_mem_bytes", defaults.allowance(principal).memory_bytes),
    )


def _table(path: Path, tables: Mapping[str, Any], name: str, prefix: str = "") -> Mapping[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, Mapping):
        raise BadBudgetFile(f"{path}: {prefix}{name} is to be a table: [{prefix}{name}]")
    return table


def _tables(path: Path, tables: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    found = tables.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise BadBudgetFile(f"{path}: {name} is to be a list of tables: [[{name}]]")
    return tuple(found)


# The values


def _values(place: str, table: Mapping[str, Any], keys: Mapping[str, "Key"]) -> dict[str, Any]:
    _refuse_unknown(place, table, tuple(keys))
    found = {}
    for name, value in table.items():
        with _naming(f"{place}: {name}"):
            found[keys[name].field] = keys[name].read(value)
    return found


def _refuse_unknown(place: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise BadBudgetFile(f"{place}: unknown key {name}{nearest(name, list(known))}")


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Have an error say which place of the file it is about."""
    try:
        yield
    except AtectlError as error:
        raise BadBudgetFile(f"{place}: {error}", remedy=error.remedy) from None


def _place(path: Path, table: str) -> str:
    return f"{path}: {table}"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadBudgetFile(f"{shown(value)} is to be text in quotes")
    return value


def read_size(value: Any) -> int:
    """A size from text or a whole number of bytes.

    Raises:
        BadSize: it is none (exit 2).
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadSize(f"{shown(value)} is not a size")
    return parse_size(value if isinstance(value, str) else number_text(value))


_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%\s*", re.ASCII)


def read_fraction(value: Any) -> float:
    """A fraction of the limit, above 0 and at most 1, to four decimals; `80%` is 0.8.

    Raises:
        UsageError: it is none (exit 2).
    """
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    fraction = value if percent is None else float(percent[1]) / 100
    is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
    if not is_number or not 0.0001 <= fraction <= 1:
        raise UsageError(
            f"{shown(value)} is no fraction of the limit",
            remedy='write a number from 0.0001 to 1, or a percentage such as "80%"',
        )
    return float(fraction)


def _duration(value: Any) -> float | None:
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadBudgetFile(f"{shown(value)} is not a duration")
    return parse_duration(value if isinstance(value, str) else number_text(value))


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadBudgetFile(f"{shown(value)} is no whole number from {least} to {most}")
        return value

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            close = nearest(value, list(choices)) if isinstance(value, str) else ""
            raise BadBudgetFile(f"{shown(value)} is none of {', '.join(choices)}{close}")
        return str(value)

    return read


class Key(NamedTuple):
    """How the value of a key is read, and the field it becomes."""

    field: str
    read: Callable[[Any], Any]


_HOST_KEYS = {
    "limit": Key("limit_bytes", read_size),
    "soft": Key("soft", read_fraction),
    "resume": Key("resume", read_fraction),
    "backpressure": Key("backpressure", _one_of(BACKPRESSURES)),
    "policy": Key("policy", _one_of(POLICY_NAMES)),
    "spill_dir": Key("spill_dir", _text),
    "spill_cap": Key("spill_cap_bytes", read_size),
    "jobs": Key("jobs", _whole(1, MAX_JOBS)),
}
HOST_FIELDS = {name: key.field for name, key in _HOST_KEYS.items()}
"""Each key of `[host]`, and the field of `HostSettings` it becomes."""

_ALLOWANCE_KEYS = {
    "max_mem": Key("memory_bytes", read_size),
    "priority": Key("priority", _whole(PRIORITIES[0], PRIORITIES[-1])),
    "deadline": Key("deadline_s", _duration),
}
_CAPSULE_KEYS = {
    "path": Key("path", _text),
    "principal": Key("principal", lambda value: Principal(_text(value))),
    "instances": Key("instances", _whole(1, MAX_INSTANCES)),
    "max_mem": Key("max_mem_bytes", read_size),
}
