"""The host budget file: what the whole host may use, and what runs under it.

Relative paths in it begin at its own folder. `atectl budget init` writes one with a comment for
every key.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from atectl.accounting import DEFAULT_SOFT, Budget, Principal
from atectl.arbitration.policies import BACKPRESSURES, PARK_AND_SPILL, POLICY_NAMES, Rules, rules
from atectl.budget.errors import BadBudgetFile, BadJob, UnsatisfiableBudget
from atectl.budget.jobs import (
    ALLOWANCE_FIELDS,
    JOB,
    Allowance,
    Job,
    JobDefaults,
    parse_job,
    principal,
)
from atectl.records.files import text_of, toml_of
from atectl.records.readers import by_name, filled, fraction, listed, one_of, size, values_of, whole
from atectl.records.reading import Fault, Field, Reader, Table, checked, shown
from atectl.system.ceilings import DEFAULT_SHARE, ceilings, tightest
from atectl.units import format_size, show_size

MAX_JOBS = 4096
"""The most leases that one host runs at once."""

MAX_INSTANCES = 65_536
"""The most instances of one capsule that a budget counts."""

DEFAULT_SPILL_DIR = Path("/var/tmp")  # noqa: S108 - files there are unlinked as they are made
"""Where spilled memory goes: this folder survives restarts, so it is not in memory."""


class HostSettings(NamedTuple):
    """What the whole host may use: `[host]`. Keys that are not set have defaults."""

    limit_bytes: int | None = None
    """The maximum memory of the host process; by default a share of what the machine allows."""
    soft: float = DEFAULT_SOFT
    """The fraction of the limit above which leases are held back."""
    resume: float | None = None
    """The fraction of the limit below which they go on; the default is in proportion to soft."""
    backpressure: str = PARK_AND_SPILL
    """How leases are held back: parked, spilled, both or neither."""
    policy: str | None = None
    """Which leases are held back first; the default depends on backpressure."""
    spill_dir: Path = DEFAULT_SPILL_DIR
    """The folder to which memory of parked leases is spilled, on a real disk."""
    spill_cap_bytes: int | None = None
    """The most that is spilled; by default all the room on the disk."""
    jobs: int | None = None
    """How many jobs run at once; by default one for each core."""

    def budget(self, *, root: str = "/") -> Budget:
        """The budget of these settings on this machine."""
        limit_bytes = self.limit_bytes or default_limit_bytes(root=root)
        return Budget(limit_bytes, self.soft, self.resume_share)

    @property
    def resume_share(self) -> float:
        """The resume threshold. By default it is the usual one, lower in proportion to soft."""
        if self.resume is not None:
            return self.resume
        usual = Budget(1)
        return round(min(usual.resume, self.soft * usual.resume / usual.soft), 4)

    @property
    def jobs_at_once(self) -> int:
        """How many jobs run at once: by default as many as there are cores."""
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def rules(self) -> Rules:
        """What the arbiter may do under these settings."""
        return rules(self.backpressure, self.policy)

    @property
    def is_guarded(self) -> bool:
        """Whether leases are held back under pressure."""
        return self.rules.is_guarded


class CapsuleEntry(NamedTuple):
    """Instances of a capsule that the host runs at the same time: `[[capsule]]`."""

    path: Path
    """The file of the capsule."""
    max_mem_bytes: int
    """The maximum memory of each instance; by default what its principal is granted."""
    principal: Principal = Principal()
    """Who is charged."""
    instances: int = 1
    """How many run."""


class BudgetFile(NamedTuple):
    """A host budget file. `job_tables` are as they are written there: see `jobs`.

    `host_keys` are the keys that `[host]` sets; the rest of `host` has defaults.
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
            BadBudgetFile: one of them is not valid; the message says which (exit 2).
        """
        found = []
        for number, table in enumerate(self.job_tables, start=1):
            try:
                found.append(parse_job(table, self.defaults))
            except BadJob as error:
                place = f"{self.path}: job {number}"
                raise BadBudgetFile(f"{place}: {error}", remedy=error.remedy) from None
        return found


def default_limit_bytes(*, root: str = "/") -> int:
    """The default limit of a host: a share of the tightest bound that the machine sets.

    Args:
        root: the folder that stands for `/`.
    """
    bound = tightest(ceilings(root=root)).size_bytes or 0
    return max(int(bound * DEFAULT_SHARE), 1)


def refuse_unsatisfiable(budget: Budget, baseline_bytes: int | None, *, is_guarded: bool) -> None:
    """Refuse a limit under which every lease would be parked and none ever resumed.

    Args:
        baseline_bytes: what the host process itself takes; None if not known: then no limit is
            refused.
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
    """Read and check a host budget file, except its jobs: see `BudgetFile.jobs`.

    Raises:
        BadBudgetFile: it cannot be read or parsed, or has an unknown key or an unusable value,
            which the message names (exit 2).
    """
    with _about(path):
        content = text_of(path)
    return read_budget(path, content)


def read_budget(path: Path, content: str) -> BudgetFile:
    """The budget that a text describes. `path` is for messages and relative paths.

    Raises:
        BadBudgetFile: as `load_budget`.
    """
    with _about(path):
        tables = toml_of(content)
    return parse_budget(path, tables)


def parse_budget(path: Path, tables: Mapping[str, Any]) -> BudgetFile:
    """The budget of a parsed file. `path` is for messages and relative paths.

    Raises:
        BadBudgetFile: as `load_budget`.
    """
    with _about(path):
        return _budget(path, tables)


def _budget(path: Path, tables: Mapping[str, Any]) -> BudgetFile:
    values = FILE.values(tables)
    host = checked("host", lambda: _host(values.get("host", {}), path.parent))
    general = Allowance(**values.get("defaults", {}))
    principals = {
        name: general._replace(**granted) for name, granted in values.get("principals", {}).items()
    }
    defaults = JobDefaults(general, principals, path.parent, os.environ)
    return BudgetFile(
        path,
        host,
        defaults,
        tuple(_capsule(each, defaults) for each in values.get("capsule", ())),
        values.get("job", ()),
        frozenset(tables.get("host", ())),
    )


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Turn a fault into the error of this file."""
    try:
        yield
    except Fault as fault:
        raise BadBudgetFile(str(fault.at(file=str(path))), remedy=fault.remedy) from None


# The tables


def _host(values: dict[str, Any], folder: Path) -> HostSettings:
    host = HostSettings(**values)
    if host.resume_share > host.soft:
        raise Fault(
            f"resume = {host.resume_share:g} is above soft = {host.soft:g}",
            remedy="leases are parked above soft and go on below resume: make resume the lower",
        )
    return host._replace(spill_dir=folder / host.spill_dir)


def _capsule(values: dict[str, Any], defaults: JobDefaults) -> CapsuleEntry:
    granted = defaults.allowance(values.get("principal", Principal()))
    entry = CapsuleEntry(**{"max_mem_bytes": granted.memory_bytes, **values})
    return entry._replace(path=defaults.folder / entry.path)


def _unread(value: Any) -> Any:
    """Accept a table that is read later."""
    if not isinstance(value, dict):
        raise Fault(f"{shown(value)} is no table of keys and values")
    return value


HOST = Table(
    HostSettings,
    fields=(
        Field("limit", size, "limit_bytes"),
        Field("soft", fraction),
        Field("resume", fraction),
        Field("backpressure", one_of(BACKPRESSURES)),
        Field("policy", one_of(POLICY_NAMES)),
        Field("spill_dir", filled),
        Field("spill_cap", size, "spill_cap_bytes"),
        Field("jobs", whole(1, MAX_JOBS)),
    ),
)
ALLOWANCE = Table(Allowance, fields=ALLOWANCE_FIELDS)
CAPSULE = Table(
    CapsuleEntry,
    fields=(
        Field("path", filled, is_required=True),
        Field("principal", principal),
        Field("instances", whole(1, MAX_INSTANCES)),
        Field("max_mem", size, "max_mem_bytes"),
    ),
)
FILE = Table(
    says="A host budget file: what the whole host may use, and what runs under it. Relative "
    "paths in it begin at its own folder.",
    fields=(
        Field("host", values_of(HOST), says="What the whole host may use."),
        Field("defaults", values_of(ALLOWANCE), says="What a lease is granted by default."),
        Field(
            "principals",
            by_name(principal, values_of(ALLOWANCE)),
            says="The same for one principal, by its name.",
        ),
        Field(
            "capsule",
            listed(values_of(CAPSULE), "tables: [[capsule]]"),
            says="Capsules that the host runs at the same time.",
        ),
        Field(
            "job", listed(Reader(_unread, JOB), "tables: [[job]]"), says="Jobs for `atectl batch`."
        ),
    ),
)
"""A whole budget file."""
