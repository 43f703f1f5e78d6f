"""The view of everything about the lock of one actor, and of what releasing it would do."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from atectl.inert import inert_line
from atectl.locks.charged import ChargedLock
from atectl.locks.details import LockDetails, Worker
from atectl.locks.errors import NoToken
from atectl.locks.keys import companion_keys
from atectl.locks.lock import Actor, warnings_of
from atectl.locks.releasing import ruling_on
from atectl.locks.verdicts import Verdict
from atectl.units import format_duration, rfc3339, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.labelled import labelled
from ..drawing.tones import HEADING
from .view import ttl_cell, verdict_text

_LABEL_COLUMNS = 16

_MEANINGS = {
    Verdict.RENEWING: "its holder is alive",
    Verdict.HELD: "too soon to tell whether its holder is alive",
    Verdict.FINISHING: "its actor is in no operation: about to be released, or a shared name",
    Verdict.EXPIRING: "its holder is gone or never renews; it frees itself",
    Verdict.STUCK: "it has no TTL and never frees itself",
    Verdict.FOREIGN: "not written by the systems that lock actors",
    Verdict.STRANDED: "the actor's operation was broken off; retry it, there is nothing to release",
}

_WARNINGS = {
    "no-ttl": "no TTL: none of the known systems writes such a lock",
    "foreign-token": "the value is no token (a UUIDv4): something else wrote it",
    "unfenced": "no holder record: its holder is not known, and its writes have no fencing number",
    "stale-holder-record": "the holder record is that of an earlier token, and is not shown",
    "shared-name": "the key leaves the atespace out: the actors of this name share the lock",
    "undecodable-actor": "the actor's record cannot be read: its state is not known",
    "other-form": "the actor's lock is held under several keys: none excludes the others",
    "replica": "the server is a replica: its primary may have newer data",
    "failover": "the locks are only replicated: a failover can lose one, or bring one back",
}


def lock_details_view(
    details: LockDetails,
    rows: Sequence[ChargedLock],
    lock_ttl_s: float,
    *,
    ascii_only: bool = False,
) -> RenderableType:
    """All of `details`: its locks, which are `rows`, its actors, workers, keys and warnings."""
    parts: list[RenderableType] = []
    for row in rows:
        facts = _lock_lines(row, details, lock_ttl_s, ascii_only)
        parts += [labelled(facts, _LABEL_COLUMNS), Text()]
    if not rows:
        parts += [Text("no lock"), Text()]
    if details.actors:
        actors = LineTable(_ACTOR_COLUMNS, details.actors, tells_hidden=True)
        parts += [_title("actors of this name"), actors, Text()]
    if details.workers:
        workers = LineTable(_WORKER_COLUMNS, details.workers, tells_hidden=True)
        parts += [_title("workers"), workers, Text()]
    held = {row.lock.key for row in rows}
    keys = [(key, "held" if key in held else "no lock") for key in details.keys]
    parts += [_title("keys that its lock can have"), *(_listed(f"{k}: {x}") for k, x in keys)]
    warnings = list(dict.fromkeys([w for row in rows for w in warnings_of(row.lock)]))
    warnings += details.warnings
    if warnings:
        parts += [Text(), _title("warnings"), *(_listed(_WARNINGS[word]) for word in warnings)]
    parts += [Text(), _title("releasing"), *(_listed(line) for line in release_lines(rows))]
    return Group(*parts)


def release_lines(rows: Iterable[ChargedLock]) -> list[str]:
    """What a release would do and would not do, one statement a line."""
    lines = []
    for row in rows:
        if row.lock.key is None:
            continue
        ruling = ruling_on(row.lock)
        if ruling.refusal is not None and not ruling.may_change:
            reason = str(ruling.refusal).removesuffix("; nothing was released")
            if isinstance(ruling.refusal, NoToken):
                lines.append(f"would be refused: {reason}")
                continue
            lines.append(f"would be refused unless forced: {reason}; then it")
        record = companion_keys(row.lock.key).holder
        also = f" and {record}" if row.lock.holder is not None else ""
        when = " and nobody renews it meanwhile" if ruling.may_change else ""
        lines.append(f"would delete {row.lock.key}{also}, if it is still as it is seen here{when}")
        if row.lock.look is not None and row.lock.look.ttl_s is not None:
            left = format_duration(row.lock.look.ttl_s)
            lines.append(f"is not needed if you can wait: unless renewed it is free in {left}")
    if not lines:
        return ["there is nothing to release"]
    if not any(line.startswith("would delete") for line in lines):
        return lines
    lines.append("would change no actor, worker or fencing number, and end nobody's work:")
    lines.append("a holder that is still alive may go on writing")
    return lines


def _lock_lines(
    row: ChargedLock, details: LockDetails, lock_ttl_s: float, ascii_only: bool
) -> list[tuple[str, str | Text]]:
    lock, holder = row.lock, row.lock.holder
    meaning = Text.assemble(verdict_text(lock.verdict), f": {_MEANINGS[lock.verdict]}")
    lines: list[tuple[str, str | Text]] = [("actor", lock.name), ("verdict", meaning)]
    if lock.key is None or lock.look is None:
        return lines
    lines += [
        ("key", lock.key),
        ("token", lock.look.token if lock.look.token is not None else "no text"),
        ("TTL left", ttl_cell(lock.look, lock_ttl_s, ascii_only=ascii_only)),
    ]
    if holder is not None:
        lines += [
            ("held by", f"{holder.host or '?'}, process {holder.pid or '?'}"),
            ("command", holder.command or "-"),
            ("since", rfc3339(holder.since) or "-"),
            ("held for", "-" if lock.age_s is None else format_duration(lock.age_s)),
            ("work ends by", rfc3339(holder.deadline) or "-"),
        ]
    if row.principal is not None:
        memory = "not in the ledger"
        if row.current_bytes is not None and row.peak_bytes is not None:
            memory = f"{show_size(row.current_bytes)} now, peak {show_size(row.peak_bytes)}"
        lines += [("principal", row.principal), ("memory", memory)]
    if lock.key in details.fences:
        lines.append(("last fence", str(details.fences[lock.key])))
    return lines


def _title(text: str) -> Text:
    return Text(text, style=HEADING)


def _listed(text: str) -> Padding:
    return Padding(Text(inert_line(text)), (0, 0, 0, 2), expand=False)


def _or_dash(text: str) -> str:
    return text or "-"


_ACTOR_COLUMNS: tuple[Column[Actor], ...] = (
    Column("actor", "  ACTOR", lambda actor: f"  {actor.name}", 16, 0, grows=True, is_name=True),
    Column("status", "IS", lambda actor: actor.record.status.lower(), 11, 1),
    Column(
        "worker",
        "WORKER",
        lambda actor: _or_dash(actor.record.worker),
        12,
        2,
        grows=True,
        is_name=True,
    ),
    Column("pool", "POOL", lambda actor: _or_dash(actor.record.pool), 8, 5, grows=True),
    Column("version", "VERSION", lambda actor: _or_dash(actor.record.version), 7, 3),
    Column(
        "template",
        "TEMPLATE",
        lambda a: _or_dash(a.record.template),
        12,
        4,
        grows=True,
        is_name=True,
    ),
    Column(
        "snapshot",
        "SNAPSHOT IN PROGRESS",
        lambda actor: _or_dash(actor.record.in_progress_snapshot),
        20,
        6,
        grows=True,
        is_name=True,
    ),
)

_WORKER_COLUMNS: tuple[Column[Worker], ...] = (
    Column("key", "  WORKER", lambda worker: f"  {worker.key}", 20, 0, grows=True, is_name=True),
    Column("state", "IS", lambda w: "readable" if w.record.is_decodable else "undecodable", 11, 4),
    Column("actor", "HAS ACTOR", lambda worker: _actor_of(worker), 12, 1, grows=True),
    Column("node", "NODE", lambda worker: _or_dash(worker.record.node), 8, 2, grows=True),
    Column("ip", "IP", lambda worker: _or_dash(worker.record.ip), 10, 3, grows=True),
)


def _actor_of(worker: Worker) -> str:
    parts = (worker.record.actor_atespace, worker.record.actor)
    return "/".join(part for part in parts if part) or "-"
