"""Which walls around guests this machine has."""

import json

from atectl.finding import Finding, Verdict
from atectl.health.self_test import printed_by

_TRY = (
    "import json; from atectl.system.walls.selftest import all_walls; "
    "print(json.dumps(all_walls()))"
)


def check_walls() -> Finding:
    """Put up every wall in another process, and tell which of them hold.

    Raises:
        EngineUntrusted: that process failed (exit 125).
        PythonNotStarted: there is no such process (exit 125).
    """
    printed = printed_by(_TRY, "the self-test of the walls")
    return found([tuple(each) for each in json.loads(printed)])


def found(walls: list[tuple[str, bool, str]]) -> Finding:
    """What to say of walls: the name of each, whether it holds, and what it does or why not."""
    held = ", ".join(name for name, is_held, _ in walls if is_held)
    missing = [f"{name}: {why}" for name, is_held, why in walls if not is_held]
    if not missing:
        return Finding(Verdict.OK, f"all hold: {held}")
    return Finding(
        Verdict.WARNING,
        f"not here: {'; '.join(missing)}",
        "runs go on without them; Linux 5.19 or later with Landlock and seccomp has all",
    )
