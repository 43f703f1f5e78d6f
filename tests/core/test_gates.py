"""A budget's gates are in accounting alone: move one there, and all who look at it follow."""

import ast
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.accounting import Budget, Pressure
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.deciding import TOO_LARGE_ALONE, decide
from atectl.arbitration.policies import rules
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, HostView
from atectl.budget.baseline import stated
from atectl.budget.bounds import never_fitting, tight
from atectl.budget.check import check_budget
from atectl.budget.demand import Claim
from atectl.budget.errors import UnsatisfiableBudget
from atectl.budget.file import HostSettings, parse_budget, refuse_unsatisfiable
from atectl.budget.plan import recommend
from atectl.commands.drawing.gates import pressure_style
from atectl.commands.drawing.tones import NEAR, ROOM
from atectl.trace.check import check
from atectl.trace.events import Asked, Header, Registered, Ruled, Sampled, Trace
from atectl.trace.simulation import simulate
from atectl.trace.workload import Machine, Script, Step
from tests.conftest import ROOT
from tests.support.tenants import Tenant, seated
from tests.support.waiting import wait_until

MIB = 1 << 20
BUDGET = Budget(1000)
BOTH = rules("both")


@pytest.fixture
def soft_is_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft gate stands at half the limit, whatever a budget says."""
    monkeypatch.setattr(
        Budget,
        "over_soft_bytes",
        lambda self, pressure: pressure.total_bytes - self.limit_bytes // 2,
    )


@pytest.fixture
def limit_is_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hard gate stands at half the limit, and with it all the others."""
    for gate in ("over_limit_bytes", "over_soft_bytes", "over_resume_bytes"):
        monkeypatch.setattr(
            Budget, gate, lambda self, pressure: pressure.total_bytes - self.limit_bytes // 2
        )


@pytest.fixture
def all_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressure is what is resident and what is charged together, and not the higher of both."""
    monkeypatch.setattr(
        Pressure, "total_bytes", property(lambda self: (self.resident_bytes or 0) + sum(self[1:]))
    )
    monkeypatch.setattr(Pressure, "granted_alone", property(lambda self: self))


# Deciding

ASKS = HostView(BUDGET, None, 100, (Standing(1, 0, 400), Standing(2, 0, 0, 200)), 9999)


def decided(host: HostView) -> list[tuple[Action, int]]:
    return [(made.action, made.lease) for made in decide(host, BOTH)]


def test_deciding_grants_what_is_below_soft() -> None:
    assert decided(ASKS) == [(Action.GRANT, 2)]


@pytest.mark.usefixtures("soft_is_half")
def test_deciding_follows_the_soft_gate() -> None:
    assert decided(ASKS) == [(Action.PARK, 2)]


@pytest.mark.usefixtures("limit_is_half")
def test_deciding_follows_the_limit() -> None:
    (made,) = decide(ASKS._replace(leases=(Standing(1, 0, 0, 401),)), BOTH)
    assert made.reason == TOO_LARGE_ALONE
    assert decided(ASKS._replace(leases=(Standing(1, 0, 0, 400),))) == [(Action.GRANT, 1)]


@pytest.mark.usefixtures("all_is_summed")
def test_deciding_follows_what_pressure_is() -> None:
    assert decided(ASKS._replace(resident_bytes=200)) == [(Action.PARK, 2)]


def test_deciding_follows_the_resume_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    parked = Standing(2, 0, 10).park().reach_tick()
    host = ASKS._replace(leases=(Standing(1, 0, 400), parked))
    assert decided(host) == [(Action.RESUME, 2)]
    monkeypatch.setattr(Budget, "over_resume_bytes", lambda self, pressure: 1)
    assert decided(host) == []


# The arbiter


def actions_of_two_growths() -> list[Action]:
    """What the arbiter rules as two leases come to 700 bytes of 1000, on threads of their own."""
    arbiter = Arbiter(BUDGET, rules("park"), lambda: None, resident=lambda: 100)
    arbiter.measure_baseline()
    first, second = seated(arbiter, Tenant(), 1), seated(arbiter, Tenant(), 2)
    first.admit(400)
    growth = threading.Thread(target=second.admit, args=(200,))
    growth.start()
    wait_until(lambda: arbiter.latest_rulings() or not growth.is_alive())
    first.leave()
    growth.join()
    return [ruling.action for ruling in arbiter.latest_rulings()]


def test_the_arbiter_grants_what_is_below_soft_at_once() -> None:
    assert actions_of_two_growths() == []


@pytest.mark.usefixtures("soft_is_half")
def test_the_arbiter_follows_the_soft_gate() -> None:
    assert actions_of_two_growths() == [Action.PARK, Action.GRANT]


# Simulation and traces


def ruled(grow_bytes: int = 300) -> list[tuple[Action, int]]:
    """What is done to two simulated leases that each grow once, on a baseline of 100."""
    machine = Machine(BUDGET, 100, 2, 2, 9999, 5000.0)
    script = Script((Step(0.1, grow_bytes), Step(0.1)))
    events = simulate(machine, [script] * 2, BOTH)
    return [(event.action, event.bytes) for event in events if isinstance(event, Ruled)]


def test_a_simulation_does_nothing_below_soft() -> None:
    assert ruled(300) == ruled(350) == []


@pytest.mark.usefixtures("soft_is_half")
def test_in_a_simulation_a_growth_past_the_soft_gate_waits() -> None:
    assert ruled()[0] == (Action.PARK, 300)


@pytest.mark.usefixtures("all_is_summed")
def test_a_simulation_follows_what_pressure_is() -> None:
    assert ruled(350) != []


TRACE = Trace(
    Header(BUDGET, "both", None, 4, busy_leases=2, spill_room_bytes=9999),
    (
        Registered(0.0, 1, 0),
        Registered(0.0, 2, 0),
        Asked(0.1, 1, 0, 300),
        Asked(0.1, 2, 0, 300),
        Sampled(0.5, 100, 100, 600),
    ),
)


def test_the_check_of_a_trace_finds_nothing_to_be_done_below_soft() -> None:
    assert check(TRACE).is_same


@pytest.mark.usefixtures("soft_is_half")
def test_the_check_of_a_trace_follows_the_soft_gate() -> None:
    (difference,) = check(TRACE).differences
    assert [made.action for made in difference.decided] == [Action.PARK]


@pytest.mark.usefixtures("limit_is_half")
def test_the_check_of_a_trace_judges_no_sample_past_the_limit() -> None:
    (*before, sample) = TRACE.events
    assert isinstance(sample, Sampled)
    found = TRACE._replace(events=(*before, sample._replace(resident_bytes=501)))
    assert check(TRACE).samples == 1
    assert check(found).samples == 0


# Budgets


def test_a_limit_at_the_baseline_can_be_met() -> None:
    refuse_unsatisfiable(BUDGET, 1000, is_guarded=True)


@pytest.mark.usefixtures("limit_is_half")
def test_what_is_refused_as_unsatisfiable_follows_the_limit() -> None:
    refuse_unsatisfiable(BUDGET, 500, is_guarded=True)
    with pytest.raises(UnsatisfiableBudget):
        refuse_unsatisfiable(BUDGET, 501, is_guarded=True)


@pytest.mark.usefixtures("limit_is_half")
def test_what_never_fits_follows_the_limit() -> None:
    claim = Claim(Path("a.wasm"), "default", 401, 1, at_once=True)
    assert never_fitting(BUDGET, 100, [claim]) is not None
    assert never_fitting(BUDGET, 100, [claim._replace(max_mem_bytes=400)]) is None


@pytest.mark.usefixtures("soft_is_half")
def test_what_is_tight_follows_the_soft_gate() -> None:
    assert tight(BUDGET, 500, is_guarded=True) is None
    assert tight(BUDGET, 501, is_guarded=True) is not None


def codes(baseline_mib: int) -> list[str | None]:
    """What is found about a limit of 1000 MiB, and one lease of 100 MiB."""
    budget = parse_budget(
        Path("/budget.toml"), {"capsule": [{"path": "a.wasm", "max_mem": 100 * MIB}]}
    )
    host = HostSettings(limit_bytes=1000 * MIB, spill_dir=ROOT)
    checked = check_budget(budget, host, stated(baseline_mib * MIB))
    return [finding.code for finding in checked.findings if finding.code]


def test_a_budget_check_finds_nothing_below_soft() -> None:
    assert codes(450) == []


@pytest.mark.usefixtures("soft_is_half")
def test_a_budget_check_follows_the_soft_gate() -> None:
    assert codes(450) == ["E322"]
    assert codes(501) == ["E323", "E322"]


@pytest.mark.usefixtures("limit_is_half")
def test_a_budget_check_follows_the_limit() -> None:
    assert codes(501) == ["E312"]


def planned_limit() -> int | None:
    return recommend([], [], baseline=stated(400 * MIB)).limit_bytes


def test_a_plan_has_the_baseline_at_soft() -> None:
    assert planned_limit() == 500 * MIB


@pytest.mark.usefixtures("soft_is_half")
def test_a_plan_follows_the_soft_gate() -> None:
    assert planned_limit() == 800 * MIB


# What is drawn


@pytest.mark.usefixtures("soft_is_half")
def test_colours_follow_the_gates() -> None:
    assert [pressure_style(BUDGET, size) for size in (460, 461, 501)] == [
        ROOM, NEAR, NEAR,
    ]  # fmt: skip


# Nobody else compares


_DRAWS_LINES = {"commands/drawing/timeline_chart.py"}
"""Where a threshold is a place on an axis."""


def comparisons_with_a_threshold() -> Iterator[str]:
    for path in sorted([*ROOT.glob("atectl/**/*.py"), *ROOT.glob("commands/**/*.py")]):
        name = str(path.relative_to(ROOT))
        if name == "atectl/accounting.py" or name in _DRAWS_LINES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(map(_is_threshold, ast.walk(node))):
                yield f"{name}:{node.lineno}"


def _is_threshold(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in ("soft_bytes", "resume_bytes"):
        return True
    owner = node.value
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return node.attr == "limit_bytes" and name.strip("_") in ("budget", "host")


def test_nobody_but_accounting_compares_a_size_with_a_threshold() -> None:
    assert list(comparisons_with_a_threshold()) == []
