"""Writing host budget files: a commented one to start from, and a recommended one."""

import os
from datetime import UTC, datetime
from pathlib import Path

from atectl.accounting import DEFAULT_DEADLINE_S
from atectl.arbitration.policies import POLICY_NAMES
from atectl.budget.errors import BudgetUnwritable
from atectl.budget.file import HostSettings
from atectl.budget.jobs import Allowance
from atectl.budget.plan import Plan, PrincipalPlan, to_tables
from atectl.system.ceilings import DEFAULT_SHARE
from atectl.system.files import OutputPlace, why_unwritable
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


_OTHER_FILE = "name a file that you may write to, in a folder that exists and has room"
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
    _place(path, replace=replace).close()


def write_budget(path: Path, text: str, *, replace: bool) -> None:
    """Write a budget file completely or not at all.

    Args:
        replace: whether an existing file may be replaced.

    Raises:
        BudgetUnwritable: there is a file that may not be replaced, or it cannot be written (exit
            125).
    """
    place = _place(path, replace=replace)
    try:
        place.write(text, replaces=replace)
    except FileExistsError:
        raise BudgetUnwritable(f"{path} is already there", remedy=_OR_FORCE) from None
    except OSError as error:
        raise BudgetUnwritable(f"{path}: {error.strerror}", remedy=_OTHER_FILE) from None
    finally:
        place.close()


def _place(path: Path, *, replace: bool) -> OutputPlace:
    if not replace and os.path.lexists(path):
        raise BudgetUnwritable(f"{path} is already there", remedy=_OR_FORCE)
    try:
        return OutputPlace(path)
    except (OSError, ValueError) as error:
        why = why_unwritable(error) if isinstance(error, OSError) else str(error)
        raise BudgetUnwritable(f"{path}: {why}", remedy=_OTHER_FILE) from None


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
