"""The command line of `atectl run`: one table of options, and the grammar around CAPSULE.

Before CAPSULE every option is atectl's, and an unknown one is an error. After CAPSULE, options of
atectl may follow by their full names, up to the first word that is not one of them: `-m` and `-v`
are the guest's there, as many programs have such options. That word and all after it are the
guest's, and so is all after a `--` behind CAPSULE. With `--` before CAPSULE, all after CAPSULE is
the guest's. A first word of the guest that looks like a mistyped option of atectl is refused.

No option parser has that grammar. This one also avoids the import of Typer, a third of a warm
start. Help and completions are made from the same table.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from atectl.accounting import (
    DEFAULT_DEADLINE_S,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_PRINCIPAL,
    DEFAULT_STACK_BYTES,
    MAX_LABEL_CHARACTERS,
    MAX_TOTAL,
    Principal,
    Quota,
    StoreBounds,
)
from atectl.config import may_have_presets
from atectl.engine.wasi import WasiSettings, parse_folders, parse_variables
from atectl.errors import BadCount, BadSize, UsageError, cut, quoted
from atectl.system.walls.amounts import DEFAULT_MAX_FDS
from atectl.units import duration_text, format_size, parse_duration, parse_size, size_or_none

from ..options.bounds import BoundOptions, store_bounds
from ..options.compiling import CompileOptions, compile_limits
from ..options.places import HOST_NAME, LEDGER, LIVE, PROFILE, QUIET, RedisOptions, read_host_name
from ..options.table import (
    HELP_NAMES,
    Given,
    HelpWanted,
    Option,
    OptionTable,
    empty_word,
    looks_like_option,
    options_of,
)

if TYPE_CHECKING:
    from atectl.capsule.limits import CompileLimits
    from atectl.lease.locked import LockWanted

MIN_STACK_BYTES, MAX_STACK_BYTES = 16 << 10, 1 << 30
MAX_FUEL = MAX_TOTAL
MAX_FDS = 1_000_000
_LONGEST_UNIT = 5


_REDIS = options_of(RedisOptions).values()


def _default_lock_ttl() -> str:
    # Few runs hold a lock; the others should not pay for the imports here and below.
    from atectl.locks.heartbeat import DEFAULT_TTL_S

    return duration_text(DEFAULT_TTL_S)


def _default_lock_prefix() -> str:
    from atectl.locks.keys import DEFAULT_PREFIX

    return DEFAULT_PREFIX


TABLE = OptionTable(
    "run",
    (
        Option(
            "--max-mem",
            "SIZE",
            "Maximum size of all the guest's memories together.",
            format_size(DEFAULT_MEMORY_BYTES),
            short="-m",
        ),
        Option("--principal", "ID", "Who is charged.", DEFAULT_PRINCIPAL),
        Option(
            "--deadline",
            "DURATION",
            "Maximum run time; `none` for no limit.",
            duration_text(DEFAULT_DEADLINE_S),
            also=("--timeout",),
        ),
        Option("--fuel", "N", "Maximum fuel, the engine's unit of work.", usually="no limit"),
        Option("--max-stack", "SIZE", "Maximum call stack.", format_size(DEFAULT_STACK_BYTES)),
        *options_of(CompileOptions).values(),
        *options_of(BoundOptions).values(),
        Option(
            "--dir",
            "HOST[::GUEST][:ro]",
            "Let the guest use a folder; if it may write there, no quota limits how much.",
            repeatable=True,
            short="-v",
        ),
        Option(
            "--env",
            "K=V|K",
            "Set a variable for the guest, or pass it on.",
            repeatable=True,
            short="-e",
        ),
        Option(
            "--env-file",
            "FILE",
            "Set the variables in a file, one K=V or K a line.",
            repeatable=True,
        ),
        Option("--inherit-env", "", "Pass on all variables, but those of atectl itself."),
        Option("--invoke", "NAME", "Call this export; ARGS are its typed arguments."),
        Option(
            "--on-refused-growth",
            "fail|trap",
            "Let a memory's growth fail, or end the guest; a table's growth always fails.",
            "fail",
        ),
        Option(
            "--max-output", "SIZE", "Most that the guest may write to stdout and stderr.", "none"
        ),
        Option(
            "--max-fds",
            "N",
            "Most descriptors that the guest may have open.",
            str(DEFAULT_MAX_FDS),
            lowest=1,
            highest=MAX_FDS,
        ),
        Option("--label", "TEXT", "A note kept with the lease in the ledger."),
        PROFILE,
        LEDGER,
        HOST_NAME,
        Option(
            "--actor", "ATESPACE/NAME", "Hold this actor's lock in Redis for as long as it runs."
        ),
        Option(
            "--lock-wait",
            "DURATION",
            "How long to wait for a lock that is held, or a server that does not answer.",
            usually="not at all",
        ),
        Option(
            "--lock-strict",
            "",
            "Refuse to begin while a lock with an older or newer form of the key is held.",
        ),
        Option(
            "--lock-ttl",
            "DURATION",
            "How long after atectl dies the lock expires.",
            _default_lock_ttl,
        ),
        Option(
            "--lock-prefix",
            "PREFIX",
            "What the keys of actor locks begin with.",
            _default_lock_prefix,
        ),
        *_REDIS,
        LIVE,
        QUIET,
        Option("--report", "FILE|-", "Write a JSON report; `-` is stderr."),
        Option(
            "--raw-output",
            "",
            "Pass on all terminal controls of the guest, or none; else colours and `\\r` are.",
            opposite="--plain-output",
            usually="neither",
        ),
        Option("--cache", "", "Keep compiled capsules.", "--cache", opposite="--no-cache"),
    ),
    remedy="`atectl run --help` lists the options; those of the guest come after CAPSULE",
)

_OF_LOCK = (
    *("--lock-wait", "--lock-ttl", "--lock-prefix", "--lock-strict"),
    *(option.name for option in _REDIS),
)


class LockRequest(NamedTuple):
    """The lock that is to be held, and where."""

    wanted: "LockWanted"
    redis: RedisOptions


class RunRequest(NamedTuple):
    """One parsed and checked command line of `atectl run`. None means not given."""

    capsule: str
    principal: Principal
    quota: Quota
    wasi: WasiSettings
    env_files: tuple[str, ...]
    max_stack_bytes: int
    invoke: str | None
    traps_on_refusal: bool
    max_fds: int
    label: str
    ledger: str | None
    host_name: str | None
    live: bool | None
    report: str | None
    raw_output: bool | None
    is_quiet: bool
    uses_cache: bool
    compiling: "CompileLimits"
    bounds: StoreBounds
    lock: LockRequest | None


def parse(words: list[str], environment: Mapping[str, str]) -> RunRequest:
    """Read the words after `atectl run`.

    Raises:
        UsageError: an unknown option, a missing or unreadable value, no CAPSULE (exit 2).
        HelpWanted: help was asked for.
    """
    given = Given(TABLE)
    place, is_closed = _take_options(words, 0, given, strict=True)
    if place == len(words):
        raise UsageError("no CAPSULE was named", remedy="atectl run [OPTIONS] CAPSULE [ARGS]...")
    capsule = words[place]
    if not capsule:
        raise empty_word("CAPSULE")
    _refuse_unit(words[max(place - 1, 0)], capsule)
    place += 1
    if not is_closed:
        place, is_closed = _take_options(words, place, given, strict=False)
    if not is_closed and place < len(words):
        _refuse_mistyped(words[place])
    if PROFILE.name in given or may_have_presets(TABLE.command, environment):
        # Most users have no settings; the others should not pay for this import.
        from ..options.presets import take_presets

        take_presets(given, TABLE, environment)
    return _request(capsule, tuple(words[place:]), given, environment)


def _take_options(words: list[str], place: int, given: Given, *, strict: bool) -> tuple[int, bool]:
    """Read options from `place` on.

    Returns:
        The place of the first word that is not one, and whether `--` stood before it.
    """
    while place < len(words):
        word = words[place]
        if word == "--":
            return place + 1, True
        if strict and word in HELP_NAMES:
            raise HelpWanted
        behind = place
        if strict or TABLE.has_in_full(word):
            behind = TABLE.take(words, place, given)
        if behind == place:
            if strict and looks_like_option(word):
                raise TABLE.unknown(words, place)
            return place, False
        place = behind
    return place, False


def _refuse_unit(before: str, capsule: str) -> None:
    """Refuse a capsule that is the unit of the number before it, as in `--max-mem 64 MiB`.

    Raises:
        UsageError: it is one, and no such file (exit 2).
    """
    if not before.isdecimal() or len(capsule) > _LONGEST_UNIT or os.path.lexists(capsule):
        return
    for read in (parse_size, parse_duration):
        try:
            read(f"{before}{capsule}")
        except UsageError:
            continue
        raise UsageError(
            f"{capsule!r} stands where CAPSULE is named, and is a unit",
            remedy=f"write {before}{capsule}, without a space",
        )


def _refuse_mistyped(word: str) -> None:
    """Refuse a first word for the guest that may be meant as an option of atectl.

    Otherwise a mistyped `--max-mem` would silently go to the guest, and the quota would not apply.

    Raises:
        UsageError: it is a letter or two away from one of them (exit 2).
    """
    meant = TABLE.mistaken(word) if looks_like_option(word) else None
    if meant is None:
        return
    name = quoted(word.partition("=")[0])
    raise UsageError(
        f"{name} is no option of atectl, but close to {meant}, which may be meant",
        remedy=f"write {meant}, or put -- before the guest's own words: "
        f"atectl run CAPSULE -- {cut(word)} ...",
    )


def _request(
    capsule: str,
    arguments: tuple[str, ...],
    given: Given,
    environment: Mapping[str, str],
) -> RunRequest:
    quota = Quota(
        memory_bytes=given.read("--max-mem", parse_size),
        deadline_s=given.read("--deadline", _deadline),
        fuel=given.read("--fuel", _fuel),
    )
    wasi = WasiSettings(
        arguments=(_own_name(capsule), *arguments),
        environment=_environment(given, environment),
        folders=given.read_every("--dir", parse_folders),
        max_output_bytes=given.read("--max-output", size_or_none),
    )
    return RunRequest(
        capsule=capsule,
        principal=given.read("--principal", Principal),
        quota=quota,
        wasi=wasi,
        env_files=tuple(given.every("--env-file")),
        max_stack_bytes=given.read("--max-stack", _stack_size),
        invoke=given.last("--invoke"),
        traps_on_refusal=given.read("--on-refused-growth", _traps_on_refusal),
        max_fds=given.read("--max-fds", int),
        label=given.read("--label", _label) or "",
        ledger=given.last("--ledger"),
        host_name=given.read("--host-name", read_host_name),
        live=given.is_on("--live"),
        report=given.last("--report"),
        raw_output=given.is_on("--raw-output"),
        is_quiet=QUIET.name in given,
        uses_cache=bool(given.is_on("--cache")),
        compiling=compile_limits(given.group(CompileOptions)),
        bounds=store_bounds(given.group(BoundOptions)),
        lock=_lock(given),
    )


def _own_name(capsule: str) -> str:
    """What the guest is told as its own name: that of its file, in UTF-8 as WASI asks for.

    It is no word of the user's to the guest: what is not UTF-8 in it is U+FFFD there.
    """
    name = capsule.rpartition("/")[2]
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _environment(given: Given, inherited: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables of the guest. Of two with one name, the one that was named more closely."""
    texts = given.every("--env")
    if "--inherit-env" in given or "--env-file" in given:
        # Few runs do; the others should not pay for this import.
        from atectl.engine.variables import passed_on, variables_in

        everything = passed_on(inherited) if "--inherit-env" in given else ()
        files = (variables_in(path, inherited) for path in given.every("--env-file"))
        texts = [*everything, *(line for lines in files for line in lines), *texts]
    return given.read_every("--env", lambda _: parse_variables(texts, inherited))


def _lock(given: Given) -> LockRequest | None:
    if "--actor" not in given:
        for name in _OF_LOCK:
            if given.is_typed(name):
                raise UsageError(f"{name} needs --actor")
        return None
    # Few runs hold a lock; the others should not pay for this import.
    from atectl.lease.locked import LockWanted
    from atectl.locks.keys import lock_key, other_forms, parse_actor

    prefix = given.read("--lock-prefix", str)
    actor = given.read("--actor", lambda text: parse_actor(text, prefix))
    wait = given.last("--lock-wait")
    wanted = LockWanted(
        actor=str(actor),
        key=lock_key(actor, prefix),
        ttl_s=given.read("--lock-ttl", parse_duration),
        wait_s=parse_duration(wait) if wait else None,
        others=other_forms(actor, prefix),
        is_strict="--lock-strict" in given,
    )
    return LockRequest(wanted, given.group(RedisOptions))


def _fuel(text: str) -> int:
    try:
        fuel = int(text) if text.isascii() and text.isdigit() else 0
    except ValueError:  # Python reads no number of thousands of digits
        fuel = 0
    if not 1 <= fuel <= MAX_FUEL:
        raise BadCount(f"--fuel {text!r} is no whole number from 1 to {MAX_FUEL}")
    return fuel


def _deadline(text: str) -> float | None:
    return None if text == "none" else parse_duration(text)


def _stack_size(text: str) -> int:
    size = parse_size(text)
    if not MIN_STACK_BYTES <= size <= MAX_STACK_BYTES:
        raise BadSize(f"--max-stack {text} is not between 16KiB and 1GiB")
    return size


def _traps_on_refusal(text: str) -> bool:
    if text not in ("fail", "trap"):
        raise UsageError(f"--on-refused-growth {text!r} is neither fail nor trap")
    return text == "trap"


def _label(text: str) -> str:
    if len(text) > MAX_LABEL_CHARACTERS:
        raise UsageError(f"--label has {len(text)} characters; at most {MAX_LABEL_CHARACTERS}")
    return text
