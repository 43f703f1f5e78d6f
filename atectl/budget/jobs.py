"""Jobs of a batch: read from a line of JSON or a table of TOML, checked, with defaults filled in.

A job has what `atectl run` takes on its command line, under the keys of `JOB`; only `capsule` is
required. Relative paths begin at the folder of its `JobDefaults`.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from atectl.accounting import (
    DEFAULT_DEADLINE_S,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_PRINCIPAL,
    MAX_LABEL_CHARACTERS,
    PRINCIPAL_PATTERN,
    Principal,
    Quota,
)
from atectl.budget.errors import BadJob
from atectl.engine.wasi import (
    NO_FILES,
    Folder,
    Streams,
    WasiSettings,
    parse_folders,
    parse_variables,
)
from atectl.errors import AtectlError, quoted
from atectl.records.lines import json_of
from atectl.records.readers import duration, filled, listed, optional, short, size, text, whole
from atectl.records.reading import Fault, Field, Reader, Table, checked, part_of
from atectl.system.lines import MAX_LINE_BYTES
from atectl.units import format_size

MIN_PRIORITY, MAX_PRIORITY = -1000, 1000
STREAMS = ("stdin", "stdout", "stderr")
BY_CONTENT = "sha256:"
"""How a capsule is named that hosts have, by the hash of its content."""

_SHA256_DIGITS = 64
_LONGEST_PATH = 4096


class Allowance(NamedTuple):
    """What a job is granted by default."""

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    """The maximum size of all memories of the guest together."""
    deadline_s: float | None = DEFAULT_DEADLINE_S
    """The longest time that it may run; `none` for no limit."""
    priority: int = 0
    """Jobs of higher priority are held back later."""


class JobWords(NamedTuple):
    """A job of a batch, as it is submitted: a line of JSON, or a `[[job]]` table.

    Relative paths begin at the folder of the budget file, or at the current one for stdin.
    """

    capsule: str
    """The file of the capsule."""
    args: tuple[str, ...] = ()
    """The guest's arguments, after the capsule's name."""
    env: tuple[str, ...] = ()
    """The guest's variables: `NAME=VALUE`, or `NAME` to pass one on; or names with their values."""
    dirs: tuple[str, ...] = ()
    """Folders that the guest may use, as `HOST[::GUEST][:ro]`."""
    principal: Principal = Principal()
    """Who is charged."""
    label: str = ""
    """A note that is kept with the lease in the ledger."""
    invoke: str | None = None
    """The export to call instead of the entry point; `args` are then its typed arguments."""
    stdin: str | None = None
    """The file with the guest's standard input; by default that is empty."""
    stdout: str | None = None
    """The file for the guest's standard output, overwritten; by default that is discarded."""
    stderr: str | None = None
    """The file for the guest's standard error, likewise."""


class JobDefaults(NamedTuple):
    """The defaults of jobs. `principals` has the allowances of principals that have their own.

    `folder` is where relative paths begin; `environment` has the variables a job may pass on. If
    the jobs run `elsewhere`, on other machines, their files are in what those share.
    """

    general: Allowance = Allowance()
    principals: Mapping[str, Allowance] = {}
    folder: Path = Path()
    environment: Mapping[str, str] = {}
    elsewhere: bool = False

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


class Submission(NamedTuple):
    """A job as it was submitted. `number` is its place, from 1 on.

    `job` is the job that was read, or the error if it is not valid. `capsule`, `principal` and
    `label` are as given, empty if they are missing or not texts. `digest` is the same for the same
    job, whatever its place and the order of its keys.
    """

    number: int
    digest: str
    capsule: str
    principal: str
    label: str
    job: Job | AtectlError


def submit(number: int, given: Mapping[str, Any], defaults: JobDefaults) -> Submission:
    """Read the job at place `number`. One that cannot be used is returned with its error."""
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
    """Read a job from each line of JSON, as the lines come. Blank lines only count as places."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        yield _submit_line(number, line, defaults)


def _submit_line(number: int, line: bytes, defaults: JobDefaults) -> Submission:
    try:
        if len(line) > MAX_LINE_BYTES:
            raise Fault(f"it is longer than {format_size(MAX_LINE_BYTES)}")
        submission = submit(number, json_of(line), defaults)
        if isinstance(submission.job, AtectlError):
            return submission._replace(job=_at_line(number, submission.job))
        return submission
    except Fault as fault:
        refusal = _bad_job(fault)
    except RecursionError:  # what could just be read can be too deep to be written for the digest
        refusal = BadJob("it is nested too deeply for a job")
    return Submission(number, "", "", DEFAULT_PRINCIPAL, "", _at_line(number, refusal))


def digest(given: Mapping[str, Any]) -> str:
    """Identifies the content of a job: 16 hexadecimal digits; empty if it cannot be a job."""
    try:
        text = json.dumps(given, sort_keys=True, default=str)
    except ValueError:  # a number of thousands of digits, which no key accepts
        return ""
    hashed: str = _sha256()(text.encode()).hexdigest()
    return hashed[:16]


@cache
def _sha256() -> Any:
    """SHA-256 as Python itself has it.

    That of `hashlib` is OpenSSL's, whose library takes as long to load as ten small jobs to run.
    """
    try:
        from _sha2 import sha256  # from Python 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256  # before
        except ImportError:  # a Python can be built without either
            from hashlib import sha256
    return sha256


def parse_job(given: Mapping[str, Any], defaults: JobDefaults) -> Job:
    """The job that a table or object describes.

    Raises:
        BadJob: it has an unknown key, lacks `capsule`, or has a value that cannot be used. The
            message names the key (exit 2).
    """
    try:
        return _job(given, defaults)
    except Fault as fault:
        raise _bad_job(fault) from None


def _job(given: Mapping[str, Any], defaults: JobDefaults) -> Job:
    values = JOB.values(given)
    words = JobWords(**part_of(values, JobWords))
    allowance = defaults.allowance(words.principal)
    if own := part_of(values, Allowance):
        allowance = allowance._replace(**own)
    capsule = _capsule(words, defaults)
    return Job(
        capsule=capsule,
        principal=words.principal,
        quota=Quota(allowance.memory_bytes, allowance.deadline_s),
        wasi=WasiSettings(
            arguments=(capsule.name, *words.args),
            environment=_environment(words, defaults) if words.env else (),
            folders=_folders(words, defaults) if words.dirs else (),
            streams=_streams(words, defaults),
        ),
        priority=allowance.priority,
        label=words.label,
        invoke=words.invoke,
    )


def _bad_job(fault: Fault) -> BadJob:
    remedy = None if fault.remedy is None else in_words_of_a_job(fault.remedy)
    return BadJob(str(fault), remedy=remedy)


def in_words_of_a_job(remedy: str) -> str:
    """A remedy in which options of `atectl run` are replaced by the keys of a job."""
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
"""How remedies name options of `atectl run`, and the keys of a job for them; longer ones first."""


def _capsule(words: JobWords, defaults: JobDefaults) -> Path:
    """The file of a job's capsule; for other machines it may be `sha256:` and its hash."""
    if words.capsule == "-":
        raise Fault(
            "capsule: - would be stdin, and a job may have to be loaded again",
            remedy="write the capsule to a file, and name that; a file called - is ./-",
        )
    if not (defaults.elsewhere and words.capsule.startswith(BY_CONTENT)):
        return defaults.folder / words.capsule
    sha256 = words.capsule.removeprefix(BY_CONTENT)
    if len(sha256) != _SHA256_DIGITS or not set(sha256) <= set("0123456789abcdef"):
        raise Fault(f"capsule: {quoted(words.capsule)} is no hash of a content")
    return Path(words.capsule)


def _streams(words: JobWords, defaults: JobDefaults) -> Streams:
    """The files of a job's streams."""
    if words.stdin is words.stdout is words.stderr is None:
        return NO_FILES
    named = {name: path for name in STREAMS if (path := getattr(words, name)) is not None}
    if defaults.elsewhere:
        from atectl.budget.shared_paths import shared_streams

        return shared_streams(named)
    folder = _as_it_is_now(defaults.folder)
    files = {name: str(folder / path) for name, path in named.items()}
    _refuse_shared(files)
    return Streams(files.get("stdin"), files.get("stdout"), files.get("stderr"))


def _refuse_shared(files: Mapping[str, str]) -> None:
    """Refuse one file for two streams: each would overwrite the other from the beginning."""
    if len(files) < 2:
        return
    seen: dict[str, str] = {}
    for name, path in files.items():
        # What is longer than any path cannot be opened, and takes long to be looked through.
        if len(path) > _LONGEST_PATH or is_special(Path(path)):
            continue
        other = seen.setdefault(os.path.realpath(path), name)
        if other != name:
            raise Fault(
                f"{other} and {name} are one file, {path!r}",
                remedy="give each its own file",
            )


def is_special(path: Path) -> bool:
    """Whether it is a device or a pipe, which several streams may share."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _at_line(number: int, error: AtectlError) -> BadJob:
    return BadJob(f"line {number}: {error}", remedy=error.remedy)


def _is_text(given: Mapping[str, Any], key: str) -> bool:
    return isinstance(given.get(key), str)


def _environment(words: JobWords, defaults: JobDefaults) -> tuple[tuple[str, str], ...]:
    return checked("env", lambda: parse_variables(words.env, defaults.environment))


def _folders(words: JobWords, defaults: JobDefaults) -> tuple[Folder, ...]:
    if defaults.elsewhere:
        from atectl.budget.shared_paths import shared_folders

        return checked("dirs", lambda: shared_folders(words.dirs))
    folder = _as_it_is_now(defaults.folder)
    given = [_from_folder(each, folder) for each in words.dirs]
    return checked("dirs", lambda: parse_folders(given))


def _from_folder(opened: str, folder: Path) -> str:
    """The same HOST[::GUEST][:ro], with HOST relative to `folder`."""
    path = opened.removesuffix(":ro")
    host, _, guest = path.partition("::")
    if not host:
        return opened
    return f"{folder / host}::{guest or host}{opened[len(path) :]}"


@lru_cache
def _as_it_is_now(folder: Path) -> Path:
    """Where the jobs' folder really is, before any job has run: a guest may put a link there."""
    return Path(os.path.realpath(folder))


# Readers of the values of keys


def _principal(value: Any) -> Principal:
    return Principal(text.read(value))


principal = Reader(_principal, {"type": "string", "pattern": f"^{PRINCIPAL_PATTERN}$"})

_texts = listed(text, "texts")


def _variables(value: Any) -> tuple[str, ...]:
    """Variables as `NAME=VALUE`, from a list of these or from names with their values."""
    if not isinstance(value, dict):
        return _texts.read(value)  # type: ignore[no-any-return]
    for name in value:
        if not name or "=" in name:
            raise Fault(f"{quoted(name)} is not a name for a variable")
    return tuple(f"{text.read(name)}={text.read(each)}" for name, each in value.items())


_TEXT_BY_NAME = {
    "type": "object",
    "propertyNames": {"pattern": "^[^=]+$"},
    "additionalProperties": text.takes,
}

ALLOWANCE_FIELDS = (
    Field("max_mem", size, "memory_bytes"),
    Field("priority", whole(MIN_PRIORITY, MAX_PRIORITY)),
    Field("deadline", optional(duration, none="none"), "deadline_s"),
)
"""Keys that may be set for one job, and in a budget file for a principal or for all."""

JOB = Table(
    JobWords,
    Allowance,
    fields=(
        Field("capsule", filled, is_required=True),
        Field("args", _texts),
        Field("env", Reader(_variables, {"anyOf": [_texts.takes, _TEXT_BY_NAME]})),
        Field("dirs", _texts),
        Field("principal", principal),
        *ALLOWANCE_FIELDS,
        Field("label", short(MAX_LABEL_CHARACTERS)),
        Field("invoke", filled),
        *(Field(name, filled) for name in STREAMS),
    ),
)
"""Every key a job may have, and how its value is read."""
