"""Writing host budget files: a commented one to start from, and a recommended one."""

import errno
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from atectl.accounting import DEFAULT_DEADLINE_S
from atectl.arbitration.policies import POLICY_NAMES
from atectl.budget.errors import BudgetUnwritable
from atectl.budget.file import HostSettings
from atectl.budget.jobs import Allowance
from atectl.budget.plan import Plan, PrincipalPlan, to_tables
from atectl.system.ceilings import DEFAULT_SHARE
from atectl.system.files import keep_owner_and_mode
from atectl.units import duration_text, format_size

_USUAL = HostSettings()
_GRANTED = Allowance()
_SHARE = f"{DEFAULT_SHARE:g}"
_POLICIES = ", ".join(f'"{name}"' for name in POLICY_NAMES)

TEMPLATE = f"""\
# What this host may use, and what runs under it.
# `atectl budget check FILE` says whether it can be met; `atectl batch FILE` runs its jobs.
# Sizes are 64MiB, 64M (binary), 64MB (decimal) or bytes. Paths begin at this file's folder.

[host]
# The most memory that the host process may have. By default {_SHARE} of what the machine, its
# control group or a ulimit allows, whichever is the least.
# limit = "4GiB"
# Fractions of the limit: leases are held back above soft, and go on below resume.
soft = {_USUAL.soft:.2f}
resume = {_USUAL.resume_share:.2f}
# How leases are held back: "both" parks and spills them, "park", "spill", or "none".
backpressure = "{_USUAL.backpressure}"
# Which leases are held back first, one of {_POLICIES}.
# The default depends on backpressure.
# policy = "largest"
# Where memory of parked leases goes (a real disk), and how much at most; by default what is free.
spill_dir = "{_USUAL.spill_dir}"
# spill_cap = "20GiB"
# How many jobs run at once; by default one for each core.
# jobs = 4

# What a lease is granted by default.
[defaults]
max_mem = "{format_size(_GRANTED.memory_bytes)}"
# Leases of higher priority are held back later.
priority = {_GRANTED.priority}
# How long it may run; "none" for no limit.
deadline = "{duration_text(DEFAULT_DEADLINE_S)}"

# The same for one principal.
# [principals.render-farm]
# max_mem = "512MiB"
# priority = 10
# deadline = "1h"

# Capsules that the host runs at the same time. Only path is required.
# [[capsule]]
# path = "resvg.wasm"
# principal = "render-farm"
# instances = 4
# max_mem = "256MiB"

# Jobs for `atectl batch`. Only capsule is required.
# [[job]]
# capsule = "resvg.wasm"
# args = ["in.svg", "out.png"]
# env = ["MODE=fast"]
# dirs = ["pictures::/work"]
# principal = "render-farm"
# max_mem = "256MiB"
# priority = 5
# deadline = "90s"
# label = "nightly"
# stdin = "in.txt"
# stdout = "out.txt"
# stderr = "err.txt"
"""


_OTHER_FILE = "name a file in a folder that exists and that you may write to"
_OR_FORCE = "name another file, or pass --force to replace this one"


def plan_text(plan: Plan) -> str:
    """A plan as a budget file, with the records that it is based on as comments."""
    import tomli_w

    comments = [
        "Recommended by `atectl budget plan`: for each principal the most that one of its leases",
        f"wanted, as the ledger has recorded it, and {plan.headroom:.0%} more.",
        *(_evidence(each) for each in plan.principals),
    ]
    heading = "".join(f"# {comment}\n" for comment in comments)
    return f"{heading}\n{tomli_w.dumps(to_tables(plan))}"


def require_place(path: Path, *, replace: bool) -> None:
    """Check that a budget file could be written, before the work for it is done.

    Raises:
        BudgetUnwritable: as `write_budget`.
    """
    if path.is_dir():
        raise BudgetUnwritable(f"{path}: {os.strerror(errno.EISDIR)}", remedy=_OTHER_FILE)
    if path.is_symlink() and replace:
        raise BudgetUnwritable(f"{path} is a symbolic link", remedy=_OTHER_FILE)
    if not replace and os.path.lexists(path):
        raise BudgetUnwritable(f"{path} is already there", remedy=_OR_FORCE)
    folder = path.parent
    if not folder.is_dir():
        raise BudgetUnwritable(f"{path}: {os.strerror(errno.ENOENT)}", remedy=_OTHER_FILE)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BudgetUnwritable(f"{path}: {os.strerror(errno.EACCES)}", remedy=_OTHER_FILE)


def write_budget(path: Path, text: str, *, replace: bool) -> None:
    """Write a budget file completely or not at all.

    Args:
        replace: whether an existing file may be replaced.

    Raises:
        BudgetUnwritable: there is a file that may not be replaced, or it cannot be written (exit
            125).
    """
    require_place(path, replace=replace)
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, delete=False, encoding="utf-8"
        ) as file:
            try:
                file.write(text)
                file.flush()
                _keep_mode_and_owner(file.fileno(), path)
                os.fsync(file.fileno())
                _place(Path(file.name), path, replace=replace)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except FileExistsError:
        raise BudgetUnwritable(f"{path} is already there", remedy=_OR_FORCE) from None
    except OSError as error:
        raise BudgetUnwritable(f"{path}: {error.strerror}", remedy=_OTHER_FILE) from None


def _keep_mode_and_owner(descriptor: int, path: Path) -> None:
    """Give a new file the mode and owner of the one that it replaces, as far as that is allowed."""
    try:
        replaced = path.lstat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    keep_owner_and_mode(descriptor, replaced)


def _place(written: Path, path: Path, *, replace: bool) -> None:
    if replace:
        written.replace(path)
    else:
        # A link, unlike a rename, does not replace a file that another process has just written.
        try:
            os.link(written, path)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems have no links, as FAT and some network drives.
            _copy_new(written, path)


def _copy_new(written: Path, path: Path) -> None:
    """Write a new file where links cannot be had. One that cannot be finished is removed again."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(written.read_bytes())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _evidence(plan: PrincipalPlan) -> str:
    noun = "lease" if plan.samples == 1 else "leases"
    cut = ""
    if plan.is_cut_off:
        refused = plan.refused_growths
        cut = f", {refused} {'growth' if refused == 1 else 'growths'} refused"
        if plan.wanted_bytes > plan.peak_bytes:
            cut += f", {format_size(plan.wanted_bytes)} wanted"
    since, until = (_day(moment) for moment in (plan.since, plan.until))
    peak = format_size(plan.peak_bytes)
    return f"{plan.principal}: {plan.samples} {noun} from {since} to {until}, peak {peak}{cut}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
