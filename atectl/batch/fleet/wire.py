"""Jobs on their way to a host, and results on their way back, as JSON.

Neither side takes the other at its word: each value is checked when it is read.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from atectl.accounting import MAX_LABEL_CHARACTERS, MAX_TOTAL, Principal, Quota
from atectl.arbitration.seat import Ruling
from atectl.arbitration.view import Action
from atectl.batch.cells.orders import (
    read_outcome,
    read_reading,
    read_seconds,
    told_outcome,
    told_reading,
)
from atectl.batch.cells.outputs import MAX_CAPTURE_BYTES, read_output, told_output
from atectl.batch.cells.wire import Malformed, items, text, whole
from atectl.batch.job import JobResult, JobTerms
from atectl.engine.wasi import Folder, Streams, WasiSettings
from atectl.lease.report import Loading
from atectl.lease.terms import Terms
from atectl.system.walls.wall import OF_CELLS

PROTOCOL = 3
"""Both sides have to speak the same."""

_MOST_ATTEMPTS = 1 << 20
_MOST_PRIORITY = 1 << 20


class CapsuleName(NamedTuple):
    """A capsule by its content: its SHA-256 in hexadecimal digits, and the name of its file."""

    sha256: str
    name: str


def encode(content: dict[str, Any]) -> bytes:
    """A message as bytes."""
    return json.dumps(content, separators=(",", ":")).encode()


def decode(message: object) -> dict[str, Any]:
    """The message that `encode` was given.

    Raises:
        Malformed: it is none.
    """
    try:
        content = json.loads(message)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError):
        raise Malformed("a message is no JSON") from None
    if not isinstance(content, dict):
        raise Malformed("a message is no object")
    return content


def told_job(job: JobTerms, capsule: CapsuleName) -> list[Any]:
    """A job for a host. Its folders and streams are those of shares."""
    terms = job.terms
    wasi, streams = terms.wasi, terms.wasi.streams
    return [
        job.job,
        list(capsule),
        terms.principal,
        list(terms.quota),
        wasi.arguments,
        wasi.environment,
        wasi.folders,
        None if streams is None else [streams.stdin, streams.stdout, streams.stderr],
        terms.invoke,
        terms.label,
        job.priority,
        job.retries or 0,
    ]


class ToldJob(NamedTuple):
    """A job as a host was told of it: `terms.capsule` is only the name of the capsule's file."""

    terms: JobTerms
    sha256: str


def read_job(told: object) -> ToldJob:
    """The job that `told_job` was given.

    Raises:
        Malformed, AtectlError: it is none.
    """
    number, capsule, principal, quota, arguments, environment, folders, streams, *rest = items(
        told, 12
    )
    invoke, label, priority, retries = rest
    sha256, name = (text(each) for each in items(capsule, 2))
    memory, deadline_s, fuel = items(quota, 3)
    wasi = WasiSettings(
        tuple(text(each) for each in items(arguments)),
        tuple(_pair(each) for each in items(environment)),
        tuple(_folder(each) for each in items(folders)),
        None if streams is None else _streams(streams),
    )
    terms = Terms(
        Principal(text(principal)),
        Quota(
            whole(memory, MAX_TOTAL),
            None if deadline_s is None else read_seconds(deadline_s),
            None if fuel is None else whole(fuel, MAX_TOTAL),
        ),
        wasi,
        _optional(invoke),
        text(label)[:MAX_LABEL_CHARACTERS],
    )
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise Malformed("a job has no priority")
    priority = max(-_MOST_PRIORITY, min(priority, _MOST_PRIORITY))
    job = JobTerms(
        whole(number, MAX_TOTAL), Path(name), terms, priority, whole(retries, _MOST_ATTEMPTS)
    )
    return ToldJob(job, sha256)


def told_result(result: JobResult) -> list[Any]:
    """A result for the submitter."""
    return [
        result.job,
        told_outcome(result.outcome),
        told_reading(result.reading),
        result.cpu_s,
        result.wall_s,
        result.fuel,
        [[*each[:1], each.action.value, *each[2:]] for each in result.rulings],
        list(result.loading),
        result.attempts,
        result.host_bytes,
        result.queued_s,
        told_output(result.output),
        result.held_walls,
    ]


def read_result(told: object, host: str) -> JobResult:
    """The result that `told_result` was given, of the host of that name.

    Raises:
        Malformed: it is none.
    """
    number, outcome, reading, cpu_s, wall_s, fuel, rulings, *rest = items(told, 13)
    loading, attempts, host_bytes, queued_s, output, held_walls = rest
    return JobResult(
        whole(number, MAX_TOTAL),
        read_outcome(outcome),
        read_reading(reading),
        read_seconds(cpu_s),
        read_seconds(wall_s),
        whole(fuel, MAX_TOTAL),
        tuple(_ruling(each) for each in items(rulings)),
        _loading(loading),
        whole(attempts, _MOST_ATTEMPTS),
        whole(host_bytes, MAX_TOTAL),
        read_output(output, MAX_CAPTURE_BYTES),
        host,
        queued_s=read_seconds(queued_s),
        held_walls=_walls(held_walls),
    )


def _ruling(told: object) -> Ruling:
    at_s, action, lease, size, freed, pressure, reason = items(told, 7)
    try:
        known = Action(action)
    except ValueError:
        raise Malformed("a message has a decision that there is not") from None
    return Ruling(
        read_seconds(at_s),
        known,
        whole(lease, MAX_TOTAL),
        whole(size, MAX_TOTAL),
        None if freed is None else whole(freed, MAX_TOTAL),
        whole(pressure, MAX_TOTAL),
        text(reason),
    )


def _loading(told: object) -> Loading:
    sha256, cached, compile_s, compile_cpu_s, peak, image = items(told, 6)
    if cached not in (None, True, False):
        raise Malformed("a message does not say whether a capsule was cached")
    return Loading(
        _optional(sha256),
        cached,
        read_seconds(compile_s),
        read_seconds(compile_cpu_s),
        whole(peak, MAX_TOTAL),
        whole(image, MAX_TOTAL),
    )


def _walls(told: object) -> tuple[str, ...]:
    names = tuple(text(each) for each in items(told))
    if not set(names).issubset(OF_CELLS):
        raise Malformed("a message has a wall that there is not")
    return names


def _optional(value: object) -> str | None:
    return None if value is None else text(value)


def _streams(told: object) -> Streams:
    stdin, stdout, stderr = (_optional(each) for each in items(told, 3))
    return Streams(stdin, stdout, stderr)


def _pair(told: object) -> tuple[str, str]:
    name, value = items(told, 2)
    return text(name), text(value)


def _folder(told: object) -> Folder:
    host, guest, is_read_only = items(told, 3)
    if not isinstance(is_read_only, bool):
        raise Malformed("a message does not say how a folder is opened")
    return Folder(text(host), text(guest), is_read_only)
