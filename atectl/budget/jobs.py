"""Jobs of a batch: read from a line of JSON or a table of TOML, checked, with defaults filled in.

A job is what `atectl run` takes on its command line, under the keys of `KEYS`; only `capsule` is
required. Files and folders that it names are looked for from the folder of its `JobDefaults`.
"""

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from atectl.accounting import (
    DEFAULT_DEADLINE_S,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_PRINCIPAL,
    Principal,
    Quota,
)
from atectl.budget.errors import BadJob
from atectl.engine.wasi import Folder, WasiSettings, parse_folders, parse_variable
from atectl.errors import AtectlError, nearest
from atectl.units import parse_duration, parse_size

PRIORITIES = range(-1000, 1001)
MAX_LABEL_CHARACTERS = 200
STREAMS = ("stdin", "stdout", "stderr")
_MOST_BITS = 128
"""Of an integer: no size and no time has more, and Python writes none of thousands of digits."""

Value = TypeVar("Value")


class Allowance(NamedTuple):
    """What a job is granted where it says nothing itself. No deadline is None."""

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    deadline_s: float | None = DEFAULT_DEADLINE_S
    priority: int = 0


class JobDefaults(NamedTuple):
    """What jobs leave out: `principals` has the allowances of those that have their own.

    `folder` is where relative paths begin; `environment` has the variables a job may pass on.
    """

    general: Allowance = Allowance()
    principals: Mapping[str, Allowance] = {}
    folder: Path = Path()
    environment: Mapping[str, str] = {}

    def allowance(self, principal: Principal) -> Allowance:
        return self.principals.get(principal, self.general)


class Job(NamedTuple):
    """One job of a batch: a capsule, what it is granted, and where its streams go.

    `stdin` None is empty; `stdout` and `stderr` None are discarded. `wasi.arguments` begins
    with the capsule's own name. `invoke` is the export to call instead of the entry point.
    """

    capsule: Path
    principal: Principal
    quota: Quota
    wasi: WasiSettings
    priority: int
    label: str
    invoke: str | None
    stdin: Path | None
    stdout: Path | None
    stderr: Path | None


class Submission(NamedTuple):
    """A job as it was handed in, at its place from 1 on: what it came to, or why it is none.

    `capsule`, `principal` and `label` are as given, empty where they cannot be told. `digest`
    is the same for the same job, whatever its place and the order of its keys.
    """

    number: int
    digest: str
    capsule: str
    principal: str
    label: str
    job: Job | AtectlError


def submit(number: int, given: Mapping[str, Any], defaults: JobDefaults) -> Submission:
    """The job at place `number`; one that cannot be used is handed on with its error."""
    job: Job | AtectlError
    try:
        job = parse_job(given, defaults)
    except AtectlError as error:
        job = error
    told = {key: given[key] for key in ("capsule", "principal", "label") if _is_text(given, key)}
    return Submission(
        number,
        digest(given),
        told.get("capsule", ""),
        told.get("principal", DEFAULT_PRINCIPAL),
        told.get("label", ""),
        job,
    )


def submit_lines(lines: Iterable[bytes], defaults: JobDefaults) -> Iterator[Submission]:
    """A job for each line of JSON, as the lines come; blank lines are none, but are counted."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        yield _submit_line(number, line, defaults)


def _submit_line(number: int, line: bytes, defaults: JobDefaults) -> Submission:
    try:
        submission = submit(number, _read_line(line), defaults)
        return submission._replace(job=_at_line(number, submission.job))
    except BadJob as error:
        refusal = error
    except RecursionError:
        refusal = BadJob("it is no JSON for a job: nested too deeply")
    return Submission(number, "", "", DEFAULT_PRINCIPAL, "", _at_line(number, refusal))


def digest(given: Mapping[str, Any]) -> str:
    """What tells this job from others: 16 hexadecimal digits; empty if it can be none."""
    from hashlib import sha256

    try:
        text = json.dumps(given, sort_keys=True, default=str)
    except ValueError:  # a number of thousands of digits, which no key takes
        return ""
    return sha256(text.encode()).hexdigest()[:16]


def parse_job(given: Mapping[str, Any], defaults: JobDefaults) -> Job:
    """The job that a table or object describes.

    Raises:
        BadJob: it has an unknown key, lacks `capsule`, or has a value that cannot be used, which
            the message names (exit 2).
    """
    for key in given:
        if key not in KEYS:
            raise BadJob(f"unknown key {key!r}{nearest(key, list(KEYS))}")
    values = {key: _read(key, reader, given) for key, reader in KEYS.items() if key in given}
    if "capsule" not in values:
        raise BadJob("no capsule is named", remedy='every job has a capsule = "FILE"')
    principal = values.get("principal", Principal())
    allowance = defaults.allowance(principal)
    capsule = defaults.folder / values["capsule"]
    streams = {name: _path(values, name, defaults) for name in STREAMS}
    _refuse_shared(streams)
    return Job(
        capsule=capsule,
        principal=principal,
        quota=Quota(
            memory_bytes=values.get("max_mem", allowance.memory_bytes),
            deadline_s=values.get("deadline", allowance.deadline_s),
        ),
        wasi=WasiSettings(
            arguments=(capsule.name, *values.get("args", ())),
            environment=_checked("env", lambda: _environment(values, defaults)),
            folders=_checked("dirs", lambda: _folders(values, defaults)),
        ),
        priority=values.get("priority", allowance.priority),
        label=values.get("label", ""),
        invoke=values.get("invoke"),
        **streams,
    )


def in_words_of_a_job(remedy: str) -> str:
    """A remedy that names options of `atectl run`, with the keys of a job in their place."""
    for option, key in _KEYS_OF_OPTIONS.items():
        remedy = remedy.replace(option, key)
    return remedy


_KEYS_OF_OPTIONS = {
    "--dir HOST, --dir HOST::GUEST or --dir HOST::GUEST:ro": (
        'dirs ["HOST"], ["HOST::GUEST"] or ["HOST::GUEST:ro"]'
    ),
    "--env NAME=VALUE, or --env NAME": 'env ["NAME=VALUE"], or ["NAME"]',
    "--deadline none": 'deadline "none"',
    "--invoke NAME": 'invoke "NAME"',
    "--deadline": "deadline",
    "--dir": "dirs",
    "--max-mem": "max_mem",
}
"""What remedies say of options that stand for a key of a job; the longer before the shorter."""


def _refuse_shared(streams: Mapping[str, Path | None]) -> None:
    """Refuse one file for two streams: each would be written from its beginning over the other."""
    files = {name: path for name, path in streams.items() if path is not None}
    if len(files) < 2:
        return
    seen: dict[str, str] = {}
    for name, path in files.items():
        if is_special(path):
            continue
        other = seen.setdefault(os.path.realpath(path), name)
        if other != name:
            raise BadJob(
                f"{other} and {name} are one file, {str(path)!r}", remedy="give each its own file"
            )


def is_special(path: Path) -> bool:
    """Whether it is a device or a pipe, which several streams may share."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _at_line(number: int, job: Job | AtectlError) -> Job | AtectlError:
    if isinstance(job, AtectlError):
        return BadJob(f"line {number}: {job}", remedy=job.remedy)
    return job


def _read_line(line: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(line)
    except UnicodeDecodeError:
        raise BadJob("it is not UTF-8") from None
    except ValueError as error:
        raise BadJob(f"it is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadJob(f"it is no JSON object but {json.dumps(given)[:40]}")
    return given


def _is_text(given: Mapping[str, Any], key: str) -> bool:
    return isinstance(given.get(key), str)


def _read(key: str, reader: Callable[[Any], Any], given: Mapping[str, Any]) -> Any:
    return _checked(key, lambda: reader(given[key]))


def _checked(key: str, read: Callable[[], Value]) -> Value:
    """What `read` returns; an error of it is of the job's, and says which key it is about."""
    try:
        return read()
    except AtectlError as error:
        raise BadJob(f"{key}: {error}", remedy=in_words_of_a_job(error.remedy)) from None


def _environment(values: Mapping[str, Any], defaults: JobDefaults) -> tuple[tuple[str, str], ...]:
    return tuple(parse_variable(text, defaults.environment) for text in values.get("env", ()))


def _folders(values: Mapping[str, Any], defaults: JobDefaults) -> tuple[Folder, ...]:
    return parse_folders(_from_folder(text, defaults.folder) for text in values.get("dirs", ()))


def _from_folder(text: str, folder: Path) -> str:
    """The same HOST[::GUEST][:ro], HOST being looked for in `folder`."""
    path = text.removesuffix(":ro")
    host, _, guest = path.partition("::")
    if not host:
        return text
    return f"{folder / host}::{guest or host}{text[len(path) :]}"


def _path(values: Mapping[str, Any], key: str, defaults: JobDefaults) -> Path | None:
    return defaults.folder / values[key] if key in values else None


# How the value of each key is read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadJob(f"{shown(value)} is no text")
    if "\0" in value:
        raise BadJob("it has a character of code 0, which no file or argument can have")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadJob(f"{value!r} is not UTF-8") from None
    return value


def _file(value: Any) -> str:
    if not _text(value):
        raise BadJob("it is empty, and names no file")
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadJob(f"{shown(value)} is no list of texts")
    return tuple(_text(each) for each in value)


def _variables(value: Any) -> tuple[str, ...]:
    """`NAME=VALUE` for each: from a list of such, or from names with their values."""
    if not isinstance(value, Mapping):
        return _texts(value)
    for name in value:
        if not name or "=" in name:
            raise BadJob(f"{name!r} is no name of a variable")
    return tuple(f"{_text(name)}={_text(each)}" for name, each in value.items())


def _principal(value: Any) -> Principal:
    return Principal(_text(value))


def _size(value: Any) -> int:
    return parse_size(number_text(value) if _is_number(value) else _text(value))


def _duration(value: Any) -> float | None:
    if value == "none":
        return None
    return parse_duration(number_text(value) if _is_number(value) else _text(value))


def _priority(value: Any) -> int:
    if not (_is_number(value) and value in PRIORITIES):
        raise BadJob(f"{shown(value)} is no whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}")
    return int(value)


def _label(value: Any) -> str:
    label = _text(value)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadJob(f"it has {len(label)} characters; at most {MAX_LABEL_CHARACTERS} are taken")
    return label


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_text(value: float) -> str:
    """A number as `parse_size` and `parse_duration` read it.

    Raises:
        BadJob: it has more digits than any size or time (exit 2).
    """
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise BadJob(
                f"{shown(value)} is larger than any size or time", remedy="write a smaller number"
            )
        return str(value)
    return f"{value:f}".rstrip("0").rstrip(".")  # which has no exponent


def shown(value: Any) -> str:
    """A value for a message, as JSON, cut short."""
    try:
        text = json.dumps(value, default=str)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 40 else text[:39] + "…"


KEYS: dict[str, Callable[[Any], Any]] = {
    "capsule": _file,
    "args": _texts,
    "env": _variables,
    "dirs": _texts,
    "principal": _principal,
    "max_mem": _size,
    "priority": _priority,
    "deadline": _duration,
    "label": _label,
    "invoke": _file,
    "stdin": _file,
    "stdout": _file,
    "stderr": _file,
}
"""Every key a job may have, and how its value is read."""
