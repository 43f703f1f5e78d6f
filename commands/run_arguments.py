"""The command line of `atectl run`: one table of options, and the grammar around CAPSULE.

Before CAPSULE every option is atectl's, and one it does not know is an error. Behind it,
atectl's options are taken until the first word that is none of them; from there on, and after
`--`, everything is the guest's. No option parser has that grammar, and this one spares the
import of Typer, a third of a warm start; help and completions are made from the same table.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from atectl.accounting import Principal, Quota
from atectl.errors import BadCount, BadSize, UsageError, nearest
from atectl.units import parse_duration, parse_size
from atectl.wasi import WasiSettings, parse_folders, parse_variable

MIN_STACK_BYTES, MAX_STACK_BYTES = 16 << 10, 1 << 30
MAX_LABEL_CHARACTERS = 200
MAX_FUEL = 2**63 - 1


class Option(NamedTuple):
    """One option. An empty `metavar` makes it a flag."""

    name: str
    metavar: str
    help: str
    default: str = ""
    repeatable: bool = False


OPTIONS = (
    Option("--max-mem", "SIZE", "Most memory, all of the guest's memories together.", "64MiB"),
    Option("--principal", "ID", "Who is charged.", "default"),
    Option("--deadline", "DURATION", "Longest run; `none` lifts it.", "5m"),
    Option("--fuel", "N", "Most fuel, the engine's unit of work."),
    Option("--max-stack", "SIZE", "Most call stack.", "512KiB"),
    Option("--dir", "HOST[::GUEST][:ro]", "Open a folder to the guest.", "", True),
    Option("--env", "K=V|K", "Set a variable for the guest, or pass it on.", repeatable=True),
    Option("--invoke", "NAME", "Call this export; ARGS are its typed arguments."),
    Option("--on-refused-growth", "fail|trap", "Tell the guest, or end it.", "fail"),
    Option("--label", "TEXT", "A note kept with the lease in the ledger."),
    Option("--ledger", "WHERE|none", "The stored ledger."),
    Option("--actor", "ATESPACE/NAME", "Hold this actor's lock in Redis for as long as it runs."),
    Option("--lock-wait", "DURATION", "Wait so long for a lock that is held."),
    Option("--lock-ttl", "DURATION", "The lock frees itself so long after atectl dies.", "30s"),
    Option("--lock-prefix", "PREFIX", "What the keys of actor locks begin with.", "lock:actor:"),
    Option("--redis", "URL", "Where the lock is; other users see it, so put no password in it."),
    Option("--redis-password-file", "FILE", "The password, in place of one in the URL."),
    Option("--live", "", "Show the live table, on a terminal only (the default there)."),
    Option("--no-live", "", "Show no live table."),
    Option("--report", "FILE|-", "Write a JSON report; `-` is stderr."),
    Option("--raw-output", "", "Let the guest's terminal controls through."),
    Option("--no-cache", "", "Neither read nor write the cache of compiled artifacts."),
)

_BY_NAME = {option.name: option for option in OPTIONS}


_OF_LOCK = ("--lock-wait", "--lock-ttl", "--lock-prefix", "--redis", "--redis-password-file")


class HelpWanted(Exception):
    """`--help` was given before CAPSULE."""


class LockRequest(NamedTuple):
    """The lock that is to be held. `wait_s` is None to be refused if it is busy."""

    actor: str
    key: str
    ttl_s: float
    wait_s: float | None
    redis: str | None
    password_file: str | None


class RunRequest(NamedTuple):
    """One parsed and checked command line of `atectl run`. None is: not asked for."""

    capsule: str
    principal: Principal
    quota: Quota
    wasi: WasiSettings
    max_stack_bytes: int
    invoke: str | None
    traps_on_refusal: bool
    label: str
    ledger: str | None
    live: bool | None
    report: str | None
    raw_output: bool
    uses_cache: bool
    lock: LockRequest | None


def parse(words: list[str], environment: Mapping[str, str]) -> RunRequest:
    """Read the words behind `atectl run`.

    Raises:
        UsageError: an unknown option, a missing or unreadable value, no CAPSULE (exit 2).
        HelpWanted: help was asked for.
    """
    given: dict[str, list[str]] = {}
    place = _take_options(words, 0, given, strict=True)
    if place == len(words):
        raise UsageError("no CAPSULE was named", remedy="atectl run [OPTIONS] CAPSULE [ARGS]...")
    capsule = words[place]
    place = _take_options(words, place + 1, given, strict=False)
    return _request(capsule, tuple(words[place:]), given, environment)


def _take_options(
    words: list[str], place: int, given: dict[str, list[str]], *, strict: bool
) -> int:
    """Take options from `place` on; the place of the first word that is none of ours."""
    while place < len(words):
        word = words[place]
        if word == "--":
            return place + 1
        if strict and word in ("-h", "--help"):
            raise HelpWanted
        name, separator, value = word.partition("=")
        option = _BY_NAME.get(name)
        if option is None:
            if strict and word.startswith("-") and word != "-":
                raise UsageError(
                    f"there is no option {name}{nearest(name, list(_BY_NAME))}",
                    remedy="`atectl run --help` lists the options; the guest's go behind CAPSULE",
                )
            return place
        place += 1
        if not option.metavar:
            if separator:
                raise UsageError(f"{name} takes no value")
        elif not separator:
            if place == len(words):
                raise UsageError(f"{name} needs a value: {name} {option.metavar}")
            value = words[place]
            place += 1
        given.setdefault(name, []).append(value)
    return place


def _request(
    capsule: str,
    arguments: tuple[str, ...],
    given: dict[str, list[str]],
    environment: Mapping[str, str],
) -> RunRequest:
    def one(name: str) -> str | None:
        return given[name][-1] if name in given else _BY_NAME[name].default or None

    def read(name: str, reader: Callable[[str], Any]) -> Any:
        value = one(name)
        return None if value is None else reader(value)

    quota = Quota(
        memory_bytes=read("--max-mem", parse_size),
        deadline_s=read("--deadline", _deadline),
        fuel=read("--fuel", _fuel),
    )
    wasi = WasiSettings(
        arguments=(capsule.rpartition("/")[2], *arguments),
        environment=tuple(parse_variable(text, environment) for text in given.get("--env", ())),
        folders=parse_folders(given.get("--dir", ())),
    )
    return RunRequest(
        capsule=capsule,
        principal=read("--principal", Principal),
        quota=quota,
        wasi=wasi,
        max_stack_bytes=read("--max-stack", _stack_size),
        invoke=one("--invoke"),
        traps_on_refusal=read("--on-refused-growth", _traps_on_refusal),
        label=read("--label", _label) or "",
        ledger=one("--ledger"),
        live=False if "--no-live" in given else True if "--live" in given else None,
        report=one("--report"),
        raw_output="--raw-output" in given,
        uses_cache="--no-cache" not in given,
        lock=_lock(given),
    )


def _lock(given: dict[str, list[str]]) -> LockRequest | None:
    def one(name: str) -> str:
        return given[name][-1] if name in given else _BY_NAME[name].default

    if "--actor" not in given:
        for name in _OF_LOCK:
            if name in given:
                raise UsageError(f"{name} is of use with --actor alone")
        return None
    # Few runs hold a lock, and every run would pay for its import.
    from atectl.actor_keys import lock_key, parse_actor

    prefix = one("--lock-prefix")
    actor = parse_actor(one("--actor"), prefix)
    wait = one("--lock-wait")
    return LockRequest(
        actor=str(actor),
        key=lock_key(actor, prefix),
        ttl_s=parse_duration(one("--lock-ttl")),
        wait_s=parse_duration(wait) if wait else None,
        redis=one("--redis") or None,
        password_file=one("--redis-password-file") or None,
    )


def _fuel(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_FUEL):
        raise BadCount(f"--fuel {text!r} is no whole number from 1 to {MAX_FUEL}")
    return int(text)


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
