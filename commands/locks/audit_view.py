"""The view of attempts to release locks."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.locks.audit import INTENDED, Attempt
from atectl.locks.seen import Deletion
from atectl.units import rfc3339

from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, HEADING

_STYLES = {Deletion.RELEASED: "", INTENDED: ALARM}


def attempts_table(attempts: Sequence[Attempt]) -> RenderableType:
    """A table with one attempt a line."""
    return LineTable(_COLUMNS, attempts, tells_hidden=True)


def _when(attempt: Attempt) -> str:
    return (rfc3339(attempt.note.at) or "")[:19].replace("T", " ")


def _outcome(attempt: Attempt) -> Text:
    outcome = attempt.note.outcome
    # It was noted before, but not after: the command was interrupted.
    shown = "broken off" if outcome == INTENDED else outcome
    return Text(inert_line(shown), style=_STYLES.get(outcome, HEADING))


def _who(attempt: Attempt) -> str:
    note = attempt.note
    user = note.user or str(note.uid)
    return f"{note.sudo_user} as {user}" if note.sudo_user else user


def _where(attempt: Attempt) -> str:
    note = attempt.note
    came_from = note.ssh_connection.partition(" ")[0]
    return f"{note.host} from {came_from}" if came_from else note.host


def _verdict(attempt: Attempt) -> str:
    return f"{attempt.note.verdict}, forced" if attempt.note.is_forced else attempt.note.verdict


_COLUMNS: tuple[Column[Attempt], ...] = (
    Column("at", "WHEN (UTC)", _when, 19, 0),
    Column("actor", "ACTOR", lambda attempt: attempt.note.actor, 12, 1, grows=True, is_name=True),
    Column("outcome", "OUTCOME", _outcome, 10, 2),
    Column("who", "WHO", _who, 8, 3, grows=True),
    Column("verdict", "SEEN AS", _verdict, 10, 4, grows=True),
    Column("token", "TOKEN", lambda attempt: (attempt.note.token or "-")[:8], 8, 6),
    Column("where", "FROM", _where, 10, 5, grows=True),
    Column("holder", "HELD BY", lambda attempt: attempt.note.holder or "-", 12, 7, grows=True),
    Column("server", "SERVER", lambda attempt: attempt.note.server, 14, 8, grows=True),
    Column("places", "NOTED IN", lambda attempt: ", ".join(attempt.places), 12, 9),
)
