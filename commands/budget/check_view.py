"""A checked host budget: the figures, where each comes from, and what is wrong."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from atectl.budget.check import BudgetCheck, BudgetFinding, BudgetVerdict, Measured
from atectl.budget.demand import Commitment
from atectl.finding import Verdict
from atectl.inert import inert_line
from atectl.units import counted, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, HEADING, WARNING

_VERDICT_STYLES = {
    BudgetVerdict.FITS: HEADING,
    BudgetVerdict.OVERCOMMITTED: WARNING,
    BudgetVerdict.UNSATISFIABLE: ALARM,
    BudgetVerdict.SKIPPED: WARNING,
}
_SEVERITY_STYLES = {
    Verdict.PROBLEM: ALARM,
    Verdict.WARNING: WARNING,
    Verdict.SKIPPED: HEADING,
}
_MEANINGS = {
    BudgetVerdict.FITS: "every lease can have its quota at the same time",
    BudgetVerdict.OVERCOMMITTED: "not every lease can have its quota at the same time",
    BudgetVerdict.UNSATISFIABLE: "it can never be met",
    BudgetVerdict.SKIPPED: "nothing is wrong as far as could be measured",
}


def check_view(checked: BudgetCheck) -> RenderableType:
    """The figures, the principals, the findings and the verdict."""
    parts: list[RenderableType] = [_figures(checked.measured)]
    if checked.measured.demand.principals:
        parts += [Text(), _commitments(checked.measured)]
    parts.append(Text())
    parts += [_finding(finding) for finding in checked.findings]
    style = _VERDICT_STYLES[checked.verdict]
    parts.append(
        Text.assemble("verdict: ", (checked.verdict.value, style), f", {_meaning(checked)}")
    )
    return Group(*parts)


def _meaning(checked: BudgetCheck) -> str:
    """The verdict in a sentence. For a budget without leases it says so."""
    if checked.measured.demand.largest is None:
        nothing = "nothing is to run: the file has no [[capsule]] and no [[job]]"
        return {
            BudgetVerdict.FITS: nothing,
            BudgetVerdict.OVERCOMMITTED: f"the host itself is over soft, and {nothing}",
        }.get(checked.verdict, _MEANINGS[checked.verdict])
    return _MEANINGS[checked.verdict]


def _figures(measured: Measured) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, size_bytes, source in _rows(measured):
        size = "skipped" if size_bytes is None else _signed(size_bytes)
        table.add_row(Text(name), Text(size), Text(inert_line(source)))
    return table


def _commitments(measured: Measured) -> RenderableType:
    return LineTable(_COMMITMENT_COLUMNS, measured.demand.principals, tells_hidden=True)


def _rows(measured: Measured) -> list[tuple[str, int | None, str]]:
    budget, demand, room = measured.budget, measured.demand, measured.spill_room
    sources = measured.sources
    is_known = measured.baseline.resident_bytes is not None
    rows: list[tuple[str, int | None, str]] = [
        ("limit", budget.limit_bytes, sources.limit),
        ("soft", budget.soft_bytes, f"{budget.soft:g} of the limit, {sources.soft}"),
        ("resume", budget.resume_bytes, f"{budget.resume:g} of the limit, {sources.resume}"),
        ("baseline", measured.baseline.resident_bytes, measured.baseline.source),
        ("left", measured.left_bytes if is_known else None, "for leases: soft less the baseline"),
        ("committed", demand.committed_bytes, _committed(measured)),
    ]
    if demand.largest is not None:
        largest = demand.largest
        of = f"{largest.capsule.name} of {largest.principal}"
        rows.append(("largest lease", largest.max_mem_bytes, of))
    ceiling = measured.ceiling
    rows.append(("ceiling", ceiling.size_bytes, f"{ceiling.name}, the tightest bound here"))
    rows.append(("spill room", room.size_bytes, room.source))
    return rows


def _committed(measured: Measured) -> str:
    leases = measured.demand.leases
    told = f"{counted(leases, 'lease')} at once"
    if measured.sources.jobs is not None:
        told += f" ({measured.sources.jobs})"
    ratio = measured.overcommit_ratio
    if ratio is None or measured.baseline.resident_bytes is None:
        return told
    return f"{told}, {ratio:.2f} of what is left"


def _signed(size_bytes: int) -> str:
    return show_size(size_bytes) if size_bytes >= 0 else f"-{show_size(-size_bytes)}"


def _finding(finding: BudgetFinding) -> Text:
    code = f"[{finding.code}]" if finding.code else ""
    text = Text.assemble(
        (f"{finding.severity.value}{code}", _SEVERITY_STYLES[finding.severity]),
        f": {inert_line(finding.message)}",
    )
    if finding.remedy:
        text.append(f"\n  try: {inert_line(finding.remedy)}")
    return text


_COMMITMENT_COLUMNS: list[Column[Commitment]] = [
    Column("principal", "PRINCIPAL", lambda each: each.principal, 16, 0, grows=True, is_name=True),
    Column("leases", "LEASES", lambda each: str(each.leases), 6, 2, is_right=True),
    Column("committed", "COMMITTED", lambda each: show_size(each.committed_bytes), 9, 1, True),
    Column("largest", "LARGEST", lambda each: show_size(each.largest_bytes), 8, 3, is_right=True),
]
