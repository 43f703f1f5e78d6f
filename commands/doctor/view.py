"""The checks of `atectl doctor` as a table: what each found, and what to do."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from atectl.finding import Finding, Verdict
from atectl.health.checks import Check
from atectl.inert import inert_line
from atectl.units import counted

from ..drawing.tones import ALARM, HEADING, WARNING

_STYLES = {
    Verdict.OK: "",
    Verdict.SKIPPED: "",
    Verdict.WARNING: WARNING,
    Verdict.PROBLEM: ALARM,
}


def checks_table(checks: Sequence[Check]) -> Group:
    """A row for each check, with its remedy; below, a line that counts the verdicts."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=HEADING)
    table.add_column("CHECK", no_wrap=True)
    table.add_column("VERDICT", no_wrap=True)
    table.add_column("FOUND", overflow="fold")
    for check in checks:
        verdict = check.finding.verdict
        table.add_row(
            Text(inert_line(check.name)),
            Text(verdict.value, style=_STYLES[verdict]),
            _found(check.finding),
        )
    return Group(table, _tally(checks))


def _found(finding: Finding) -> Text:
    text = Text(inert_line(finding.found))
    if finding.remedy:
        text.append(f"\ntry: {inert_line(finding.remedy)}", style=HEADING)
    return text


def _tally(checks: Sequence[Check]) -> Text:
    counts = Counter(check.finding.verdict for check in checks)
    parts = [f"{len(checks)} checks"]
    for verdict, noun in ((Verdict.PROBLEM, "problem"), (Verdict.WARNING, "warning")):
        count = counts[verdict]
        parts.append(counted(count, noun) if count else f"no {noun}s")
    return Text(": ".join([parts[0], ", ".join(parts[1:])]))
