"""A job as a cell is told of it, and what came of it as the host is told."""

from collections.abc import Iterable
from typing import Any

from atectl.accounting import MAX_TOTAL, Principal, Quota, Reading
from atectl.batch.cells.wire import Malformed, items, number, text, whole
from atectl.capsule.creation import Creation
from atectl.capsule.loading import Capsule
from atectl.engine.traps import TrapReport
from atectl.engine.wasi import Folder, OpenStream, Streams, WasiSettings
from atectl.errors import MAX_MESSAGE_CHARACTERS, AtectlError, error_classes
from atectl.inert import inert_line
from atectl.lease import outcome as outcomes
from atectl.lease.outcome import REASONS, Outcome
from atectl.lease.terms import Terms

_MOST_SECONDS = 1e9
_MOST_BYTE_SECONDS = 1e24
_MOST_ASKED_BYTES = 1 << 64
"""A guest with addresses of 64 bits may ask for so much, whatever its quota is."""

OF_CELLS = {
    outcomes.EXITED, outcomes.TRAPPED, outcomes.OUT_OF_FUEL, outcomes.QUOTA, outcomes.REFUSED,
    outcomes.FAILED, outcomes.TERMINATED,
}  # fmt: skip
"""Reasons that a cell may give: of all others its host knows by itself."""

_MOST_FRAMES = 20
_MOST_READ = 4 * MAX_MESSAGE_CHARACTERS
"""What of the text of an error is looked at: more is cut from it anyway."""

_MOST_STATUS = 255
_MOST_EXIT_CODE = (1 << 32) - 1


def told_terms(terms: Terms, opened: Iterable[OpenStream]) -> dict[str, Any]:
    """What a lease is granted, but for the descriptors of its streams.

    Args:
        opened: the streams that it has.
    """
    wasi = terms.wasi
    return {
        "principal": terms.principal,
        "quota": terms.quota,
        "arguments": wasi.arguments,
        "environment": wasi.environment,
        "folders": wasi.folders,
        "streams": [(each.stream, each.path) for each in opened],
        "invoke": terms.invoke,
        "label": terms.label,
        "traps": terms.traps_on_refusal,
    }


def read_terms(
    told: dict[str, Any], opened: tuple[OpenStream, ...], inherited: tuple[str, ...] = ()
) -> Terms:
    """The terms that `told_terms` was given.

    Args:
        opened: the streams that it has files for.
        inherited: those that are those of this process.
    """
    wasi = WasiSettings(
        tuple(told["arguments"]),
        tuple((name, value) for name, value in told["environment"]),
        tuple(Folder(*folder) for folder in told["folders"]),
        Streams(opened=opened, inherited=inherited),
    )
    return Terms(
        Principal(told["principal"]),
        Quota(*told["quota"]),
        wasi,
        told["invoke"],
        told["label"],
        told["traps"],
    )


def read_streams(told: dict[str, Any], descriptors: Iterable[int]) -> tuple[OpenStream, ...]:
    """The streams that `told_terms` was given, with their descriptors in order."""
    named = zip(told["streams"], descriptors, strict=True)
    return tuple(OpenStream(stream, path, each) for (stream, path), each in named)


def told_capsule(capsule: Capsule) -> dict[str, Any]:
    """What is known of a capsule but its code."""
    return {
        "name": capsule.name,
        "kind": capsule.kind,
        "sha256": capsule.sha256,
        "creates": capsule.creates.as_text(),
        "start": capsule.has_start,
    }


def read_capsule(told: dict[str, Any]) -> Capsule:
    """The capsule that `told_capsule` was given."""
    creates = Creation.read(told["creates"])
    known = (told["name"], told["kind"], told["sha256"], creates, told["start"])
    return Capsule(*known, was_cached=True)


def told_outcome(outcome: Outcome) -> dict[str, Any]:
    """How a lease ended."""
    error, trap = outcome.error, outcome.trap
    return {
        "reason": outcome.reason,
        "status": outcome.exit_status,
        "error": None if error is None else told_error(error),
        "trap": None if trap is None else [trap.name, trap.reason, trap.frames],
        "results": outcome.results,
        "code": outcome.exit_code,
    }


def read_outcome(told: object) -> Outcome:
    """The outcome that `told_outcome` was given.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(told, dict):
        raise Malformed("a message has no outcome where one belongs")
    error, trap, code = told.get("error"), told.get("trap"), told.get("code")
    if told.get("reason") not in REASONS:
        raise Malformed("a message has no reason for an end")
    return Outcome(
        told["reason"],
        whole(told.get("status"), _MOST_STATUS),
        None if error is None else read_error(error),
        None if trap is None else _read_trap(trap),
        tuple(text(each) for each in items(told.get("results"))),
        None if code is None else whole(code, _MOST_EXIT_CODE),
    )


def read_cells_outcome(told: object) -> Outcome:
    """The outcome of a lease as its cell tells it.

    Raises:
        Malformed: it is none, it is none of those that a cell can know of, or its parts do not
            belong together.
    """
    outcome = read_outcome(told)
    reason, status, error = outcome[:3]
    if reason not in OF_CELLS:
        raise Malformed("a cell gave a reason that only its host can know")
    if reason == outcomes.EXITED:
        is_whole = outcome == outcomes.exited(outcome.exit_code or 0, outcome.results)
    else:
        is_whole = reason == outcomes.TERMINATED or error is not None
    if not is_whole or (error is not None and error.exit_status != status):
        raise Malformed("a cell told of an end that there is not")
    return outcome


def read_refusal(told: object) -> Outcome:
    """The outcome of a lease that came to nothing in its cell, which tells the error.

    Raises:
        Malformed: it is none, or one of which only its host can know.
    """
    outcome = outcomes.refused(read_error(told))
    if outcome.reason not in OF_CELLS:
        raise Malformed("a cell gave a reason that only its host can know")
    return outcome


def _read_trap(told: object) -> TrapReport:
    name, reason, frames = items(told, 3)
    shown = tuple(_line(each) for each in items(frames)[:_MOST_FRAMES])
    return TrapReport(_line(name), _line(reason), shown)


def _line(told: object) -> str:
    """One line of text, of no more than an error has."""
    return inert_line(text(told)[:MAX_MESSAGE_CHARACTERS])


def told_error(error: AtectlError) -> list[str]:
    """An error in its code and its words."""
    return [error.code, str(error), error.remedy]


def read_error(told: object) -> AtectlError:
    """The error that `told_error` was given.

    Raises:
        Malformed: there is none of that code.
    """
    code, message, remedy = (text(each)[:_MOST_READ] for each in items(told, 3))
    for kind in error_classes():
        if kind.code == code:
            return kind(message, remedy=remedy)
    raise Malformed("a message has an error that there is not")


def told_reading(reading: Reading) -> list[float]:
    """What a meter shows."""
    return list(reading)


def read_reading(told: object) -> Reading:
    """The reading that `told_reading` was given.

    Raises:
        Malformed: it is none.
    """
    *counts, byte_seconds = items(told, len(Reading._fields))
    current, peak, grown, refused = (whole(each, MAX_TOTAL) for each in counts[:-1])
    largest = whole(counts[-1], _MOST_ASKED_BYTES)
    return Reading(current, peak, grown, refused, largest, number(byte_seconds, _MOST_BYTE_SECONDS))


def read_seconds(told: object) -> float:
    """A duration from a message.

    Raises:
        Malformed: it is none.
    """
    return number(told, _MOST_SECONDS)
