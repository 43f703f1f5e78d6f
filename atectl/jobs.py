"""Jobs of a batch: read from a line of JSON or a table of TOML, checked, with defaults filled in.

A job is what `atectl run` takes on its command line, under the keys of `KEYS`; only `capsule` is
required. Files and folders that it names are looked for from the folder of its `JobDefaults`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from atectl.accounting import Principal, Quota
from atectl.errors import AtectlError, BadJob, nearest
from atectl.units import parse_duration, parse_size
from atectl.wasi import Folder, WasiSettings, parse_folders, parse_variable

DEFAULT_MEMORY_BYTES = 64 << 20
DEFAULT_DEADLINE_S = 300.0
PRIORITIES = range(-1000, 1001)
MAX_LABEL_CHARACTERS = 200

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
        told.get("principal", "default"),
        told.get("label", ""),
        job,
    )


def submit_lines(lines: Iterable[bytes], defaults: JobDefaults) -> Iterator[Submission]:
    """A job for each line of JSON, as the lines come; blank lines are none, but are counted."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = _read_line(line)
        except BadJob as error:
            place = BadJob(f"line {number}: {error}", remedy=error.remedy)
            yield Submission(number, "", "", "default", "", place)
            continue
        submission = submit(number, given, defaults)
        yield submission._replace(job=_at_line(number, submission.job))


def digest(given: Mapping[str, Any]) -> str:
    """What tells this job from others: 16 hexadecimal digits."""
    from hashlib import sha256

    text = json.dumps(given, sort_keys=True, default=str)
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
        stdin=_path(values, "stdin", defaults),
        stdout=_path(values, "stdout", defaults),
        stderr=_path(values, "stderr", defaults),
    )


def _at_line(number: int, job: Job | AtectlError) -> Job | AtectlError:
    if isinstance(job, AtectlError):
        return BadJob(f"line {number}: {job}", remedy=job.remedy)
    return job


def _read_line(line: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(line)
    except UnicodeDecodeError:
        raise BadJob("it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
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
        raise BadJob(f"{key}: {error}", remedy=error.remedy) from None


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
        raise BadJob(f"{_shown(value)} is no text")
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
        raise BadJob(f"{_shown(value)} is no list of texts")
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
    return parse_size(str(value) if _is_number(value) else _text(value))


def _duration(value: Any) -> float | None:
    if value == "none":
        return None
    return parse_duration(f"{value:f}" if _is_number(value) else _text(value))


def _priority(value: Any) -> int:
    if not (_is_number(value) and value in PRIORITIES):
        raise BadJob(f"{_shown(value)} is no whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}")
    return int(value)


def _label(value: Any) -> str:
    label = _text(value)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadJob(f"it has {len(label)} characters; at most {MAX_LABEL_CHARACTERS} are taken")
    return label


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
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
