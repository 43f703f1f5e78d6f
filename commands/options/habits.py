"""What hands reach for that know docker, kubectl, wasmtime, systemd, flock or top.

Every unknown option and command, of whatever command, is answered from these tables. Only a
mistake imports this module.
"""

from collections.abc import Iterable

from atectl.errors import UsageError, cut, nearest, quoted

from .slips import mistaken

_MAX_MEM = ("--max-mem", "--limit", "--compile-mem")
_DEADLINE = ("--deadline", "--lock-wait", "--redis-timeout")
_ROWS = ("--rows",)
_JSON = ("--output json", "--report FILE", "--format json")
_DIR = ("--dir",)
_WAIT = ("--lock-wait", "--watch")
_LIVE = ("--live",)
_RESULTS = ("--results",)
_TAG = ("--tag",)
_ON = ("--on",)

OPTIONS: dict[str, tuple[str, ...]] = {
    "--memory": _MAX_MEM,
    "--mem": _MAX_MEM,
    "--max-memory": _MAX_MEM,
    "--memory-limit": _MAX_MEM,
    "--memory-max": _MAX_MEM,
    "--max-memory-size": _MAX_MEM,
    "--memory-swap": _MAX_MEM,
    "--limits": _MAX_MEM,
    "--quota": _MAX_MEM,
    "-m": _MAX_MEM,
    "--timeout": _DEADLINE,
    "--time-limit": _DEADLINE,
    "--wasm-timeout": _DEADLINE,
    "--runtime-max-sec": _DEADLINE,
    "--max-time": _DEADLINE,
    "--stop-timeout": ("--grace",),
    "--grace-period": ("--grace",),
    "-t": _DEADLINE,
    "--volume": _DIR,
    "--mount": _DIR,
    "--mapdir": _DIR,
    "--bind": _DIR,
    "--preopen": _DIR,
    "-v": ("--dir", "--version"),
    "-e": ("--env",),
    "--environment": ("--env",),
    "--set-env": ("--env",),
    "--setenv": ("--env",),
    "--pass-env": ("--inherit-env",),
    "--preserve-env": ("--inherit-env",),
    "--entrypoint": ("--invoke",),
    "--func": ("--invoke",),
    "--function": ("--invoke",),
    "--user": ("--principal",),
    "-u": ("--principal",),
    "--uid": ("--principal",),
    "--account": ("--principal",),
    "--tenant": ("--principal",),
    "--namespace": ("--atespace", "--principal"),
    "-n": ("--rows", "--atespace", "--dry-run"),
    "--name": ("--label", "--principal"),
    "--unit": ("--label",),
    "--selector": ("--label", "--principal"),
    "--filter": ("--label", "--principal"),
    "-l": ("--label", "--principal"),
    "--quiet": ("--quiet", "--no-live"),
    "-q": ("--quiet", "--no-live"),
    "--silent": ("--quiet", "--no-live"),
    "--no-progress": ("--quiet", "--no-live"),
    "--json": _JSON,
    "--format": _JSON,
    "--output": _JSON,
    "--output-format": _JSON,
    "-o": _JSON,
    "--wide": ("--output wide",),
    "--no-trunc": ("--output wide",),
    "--no-truncate": ("--output wide",),
    "--full": ("--output wide",),
    "--csv": ("--output csv",),
    "--no-headers": ("--output json",),
    "--no-header": ("--output json",),
    "--prometheus": ("--format prometheus",),
    "--openmetrics": ("--format openmetrics",),
    "--sort-by": ("--sort",),
    "--order-by": ("--sort",),
    "--order": ("--sort",),
    "--head": _ROWS,
    "--last": _ROWS,
    "--max-rows": _ROWS,
    "--count": _ROWS,
    "--tail": _ROWS,
    "-w": _WAIT,
    "--follow": ("--watch",),
    "-f": ("--watch", "--force"),
    "--live": ("--watch",),
    "--no-stream": ("--once",),
    "--batch": ("--once",),
    "-b": ("--once",),
    "--progress": _LIVE,
    "--bar": _LIVE,
    "--eta": _LIVE,
    "--delay": ("--interval",),
    "-d": ("--interval",),
    "-s": ("--interval",),
    "--parallel": ("--jobs",),
    "--max-procs": ("--jobs",),
    "--workers": ("--jobs",),
    "--concurrency": ("--jobs",),
    "-P": ("--jobs",),
    "-c": ("--cells",),
    "--halt": ("--fail-fast",),
    "--exit-on-error": ("--fail-fast",),
    "--resume": ("--resume-from",),
    "--joblog": ("--resume-from",),
    "--files": _RESULTS,
    "--output-as-files": _RESULTS,
    "--outputasfiles": _RESULTS,
    "--tagstring": _TAG,
    "--group": _TAG,
    "--ungroup": _TAG,
    "--line-buffer": _TAG,
    "--lb": _TAG,
    "--sshlogin": _ON,
    "--sshloginfile": _ON,
    "-S": _ON,
    "--memfree": ("--limit",),
    "--retries": ("--requeue",),
    "--restart": ("--requeue",),
    "--assume-yes": ("--yes",),
    "--no-prompt": ("--yes",),
    "-y": ("--yes",),
    "--url": ("--redis",),
    "--server": ("--redis",),
    "--port": ("--listen", "--redis"),
    "--addr": ("--listen", "--redis"),
    "--address": ("--listen", "--redis"),
    "--password": ("--redis-password-file",),
    "--cacert": ("--redis-ca",),
    "--database": ("--ledger",),
    "--db": ("--ledger",),
    "--svg": ("--chart",),
    "--plot": ("--chart",),
    "--graph": ("--chart",),
    "--check": ("--dry-run",),
    "--simulate": ("--dry-run",),
    "--stats": ("--report FILE",),
    "--nofile": ("--max-fds",),
    "--ulimit": ("--max-fds", "--max-stack"),
    "--stack": ("--max-stack",),
    "--max-wasm-stack": ("--max-stack",),
    "--priority": ("--policy",),
    "--nonblock": _WAIT,
    "-V": ("--version",),
    "--usage": ("--help",),
    "-?": ("--help",),
}
"""An option as other programs call it, and what it is here: the first that the command has."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "max-memory-size": _MAX_MEM,
    "memorymax": _MAX_MEM,
    "memoryhigh": _MAX_MEM,
    "timeout": _DEADLINE,
    "runtimemaxsec": _DEADLINE,
    "fuel": ("--fuel",),
    "max-wasm-stack": ("--max-stack",),
    "max-instances": ("--max-instances",),
    "max-memories": ("--max-memories",),
    "trap-on-grow-failure": ("--on-refused-growth trap",),
    "inherit-env": ("--inherit-env",),
    "cache": ("--cache", "--no-cache"),
    "limitnofile": ("--max-fds",),
    "environment": ("--env",),
    "user": ("--principal",),
}
"""A setting in the next word, as in `-W fuel=1000` of wasmtime or `-p MemoryMax=64M` of systemd."""

_OF_SETTINGS = ("-W", "-S", "-D", "-C", "-O", "-p", "--property")

_NO_SOCKETS = (
    "a guest gets no sockets: WASI preview 1 has none, and the engine's C interface cannot switch "
    "on those of components"
)

ADVICE: dict[tuple[str, str], str] = {
    ("run", "--rm"): "nothing of a run is left behind, so leave it out",
    ("run", "--detach"): "a run stays in front: put & behind it, or let systemd-run start it",
    ("run", "-d"): "a run stays in front: put & behind it, or let systemd-run start it",
    ("run", "-i"): "the guest reads stdin as it is: leave it out",
    ("run", "--interactive"): "the guest reads stdin as it is: leave it out",
    ("run", "--tty"): "the guest has the terminal if there is one: leave it out",
    ("run", "-t"): "the guest has the terminal if there is one: leave it out; --deadline is a time",
    ("run", "--dry-run"): "`atectl load --fits SIZE CAPSULE` tries it without running it",
    ("run", "--cpus"): "no option bounds cores: --deadline bounds time, and --fuel work",
    ("run", "--workdir"): "name a folder for the guest: --dir HOST::/",
    ("run", "-w"): "name a folder for the guest: --dir HOST::/",
    **{
        ("run", option): _NO_SOCKETS
        for option in (
            *("--net", "--network", "--dns", "--allow-net", "--inherit-network", "--publish"),
            *("-p", "-S"),
        )
    },
    ("run", "--priority"): "jobs of a batch have a priority; a run has the host to itself",
    ("batch", "--max-mem"): "jobs say it each: max_mem, or [defaults] in the file",
    ("batch", "--deadline"): "jobs say it each: deadline, or [defaults] in the file",
    ("batch", "--timeout"): "jobs say it each: deadline, or [defaults] in the file",
    **{
        ("batch", option): "results come as jobs end, each with the place of its job: sort them"
        for option in ("--keep-order", "-k")
    },
    ("batch", "--memory"): "--limit is for all jobs; each says its own as max_mem",
    ("batch", "-m"): "--limit is for all jobs; each says its own as max_mem",
    **{
        (command, option): "`atectl ledger ls -o json` has the same for programs"
        for command in ("top", "ledger top")
        for option in ("-o", "--output", "--json", "--format", "--csv", "--no-headers")
    },
    **{
        (command, option): "`atectl ledger history` lists the finished ones"
        for command in ("ps", "ledger ps")
        for option in ("-a", "--all")
    },
    ("host join", "--on"): "the address is named without an option",
    ("doctor", "--fix"): "doctor only looks: what it finds says what to do",
    ("locks release", "--all"): "each lock is looked at: release them one by one",
    ("locks hold", "-n"): "without --lock-wait it does not wait for a lock that is held",
    ("locks hold", "--nonblock"): "without --lock-wait it does not wait for a lock that is held",
    ("", "--config"): "ATECTL_CONFIG names the file of settings",
    ("", "--verbose"): "ATECTL_DEBUG=1 shows the traceback of an internal error",
    ("", "--debug"): "ATECTL_DEBUG=1 shows the traceback of an internal error",
    ("", "--color"): "a terminal gets colours; NO_COLOR=1 leaves them out",
    ("", "--no-color"): "NO_COLOR=1 leaves colours out",
    ("", "--no-pager"): "there is no pager: leave it out",
    **{
        ("", option): "put it behind a command that says more than errors; leave it out here"
        for option in ("--quiet", "-q", "--silent", "--no-progress")
    },
    ("", "--file"): "the file is named without an option",
    ("", "--shell"): "the shell is named without an option",
}
"""By command and option, what to do instead. The command is empty if any is meant."""

COMMANDS: dict[str, str] = {
    "version": "`atectl --version` shows the version",
    "stats": "`atectl top` shows who uses what, live",
    "kill": "`atectl ledger end LEASE` ends a lease that `atectl ps -o wide` lists",
    "stop": "`atectl ledger end LEASE` ends a lease that `atectl ps -o wide` lists",
    "rm": "nothing of a run is left behind; `atectl ledger reset` forgets accounts",
    "exec": "`atectl run CAPSULE` runs a capsule",
    "start": "`atectl run CAPSULE` runs a capsule",
    "logs": "what a guest writes is not kept; `atectl ledger history` lists finished runs",
    "history": "`atectl ledger history` lists finished runs",
    "ls": "`atectl ledger ls` lists accounts, and `atectl locks ls` locks",
    "list": "`atectl ledger ls` lists accounts, and `atectl locks ls` locks",
    "images": "`atectl cache ls` lists compiled capsules",
    "prune": "`atectl cache prune` makes room among compiled capsules",
    "pull": "URLs are not fetched: download the capsule, then `atectl run FILE`",
    "compile": "`atectl load CAPSULE` compiles it and keeps it compiled",
    "validate": "`atectl load CAPSULE` tries a capsule without running it",
    "check": "`atectl budget check FILE` checks a budget, `atectl load` capsules",
    "settings": "`atectl config show` shows every setting",
    "completion": "`atectl completions install` installs them",
    "hold": "`atectl locks hold` runs a command under a lock",
    "lock": "`atectl locks hold` runs a command under a lock",
    "serve": "`atectl ledger serve` serves metrics",
    "metrics": "`atectl ledger export` prints metrics",
    "info": "`atectl doctor` looks at this machine",
    "parallel": "`atectl batch` runs many capsules under one limit",
    "apply": "`atectl batch FILE` runs the jobs of a file",
}
"""What other programs call a command, and what does it here."""

_RESET = "`atectl ledger reset PRINCIPAL` forgets an account"
_SHOW = "`atectl ledger show PRINCIPAL` shows an account in full"
_END = "`atectl ledger end LEASE` ends a lease that `atectl ps -o wide` lists"
_CLEAR = "`atectl cache clear` removes all, `atectl cache prune` the least used"
_EDIT = "edit atectl.toml; `atectl config show` says what is set, and where"
_HOLD = "`atectl locks hold ACTOR -- COMMAND` runs a command under a lock"
_SHOW_LOCK = "`atectl locks show ACTOR` shows a lock in full"
_RELEASE = "`atectl locks release ACTOR` releases a lock whose holder is gone"

OF_GROUPS: dict[str, dict[str, str]] = {
    "atectl": COMMANDS,
    "atectl ledger": {
        **dict.fromkeys(("rm", "remove", "delete", "clear", "forget", "prune"), _RESET),
        **dict.fromkeys(("get", "describe", "inspect"), _SHOW),
        **dict.fromkeys(("kill", "stop", "cancel"), _END),
        **dict.fromkeys(("log", "logs"), "`atectl ledger history` lists finished runs"),
        **dict.fromkeys(("stats", "stat"), "`atectl ledger top` shows who uses what, live"),
        **dict.fromkeys(("dump", "metrics"), "`atectl ledger export` prints metrics"),
        "import": "`atectl ledger merge FILE` adds ledgers in files to one on a server",
    },
    "atectl cache": dict.fromkeys(("rm", "remove", "delete", "clean", "purge"), _CLEAR),
    "atectl config": dict.fromkeys(("set", "get", "edit", "unset", "init"), _EDIT),
    "atectl locks": {
        **dict.fromkeys(("rm", "remove", "delete", "unlock", "break", "steal", "free"), _RELEASE),
        **dict.fromkeys(("acquire", "lock", "take", "run", "exec"), _HOLD),
        **dict.fromkeys(("get", "describe", "inspect", "status"), _SHOW_LOCK),
    },
    "atectl budget": {
        "validate": "`atectl budget check FILE` checks a budget",
        "run": "`atectl batch FILE` runs the jobs of a file",
    },
    "atectl completions": {
        shell: f"`atectl completions install {shell}` installs them, `show {shell}` prints them"
        for shell in ("bash", "zsh", "fish")
    },
    "atectl host": dict.fromkeys(
        ("add", "start", "run"), "`atectl host join ADDRESS` runs jobs that come from there"
    ),
}
"""By group, the same of its commands."""


def unknown_option(
    word: str, command: str, names: Iterable[str], remedy: str, following: str = ""
) -> UsageError:
    """The error for a word that looks like an option, which the command has not.

    Args:
        word: as it was typed, with a value behind `=` if there is one.
        command: its words behind `atectl`; empty for the program itself.
        names: of all options that it has.
        remedy: what to do if nothing better is known.
        following: the word after it.
    """
    known = list(names)
    name = word if word.startswith("--") else word[:2]
    name = name.partition("=")[0]
    if name in known:
        return UsageError(f"{name} takes no value", remedy=remedy)
    meant = _first(_settings(word, name, following), known)
    advice = None if meant else ADVICE.get((command, name))
    if not (meant or advice):
        meant = _first(OPTIONS.get(name.lower() if name.startswith("--") else name, ()), known)
        advice = None if meant else ADVICE.get(("", name))
    hint = f"; did you mean {meant}?" if meant else "" if advice else _near(name, known)
    return UsageError(f"there is no option {cut(name)}{hint}", remedy=advice or remedy)


def unknown_command(words: list[str], group: str, names: Iterable[str]) -> UsageError:
    """The error for a word in the place of a command, which is none.

    Args:
        words: from that word on.
        group: the words before it, such as `atectl locks`.
        names: of all commands that the group has.
    """
    word = words[0]
    advice = OF_GROUPS.get(group, {}).get(word)
    if word == "help":
        asked = " ".join([group, *(each for each in words[1:2] if each in names)])
        advice = f"`{asked} --help` shows how it is used"
    near = "" if advice else nearest(word, list(names))
    if group == "atectl man" and not near:
        advice = "`atectl man show COMMAND` prints the page of a command"
    return UsageError(
        f"there is no command {quoted(word)}{near}",
        remedy=advice or f"`{group} --help` lists the commands",
    )


def _settings(word: str, name: str, following: str) -> tuple[str, ...]:
    """What the setting behind an option of settings is called here."""
    if name not in _OF_SETTINGS:
        return ()
    setting = word.removeprefix(name).removeprefix("=") or following
    return SETTINGS.get(setting.partition("=")[0].lower(), ())


def _first(names: tuple[str, ...], known: list[str]) -> str | None:
    return next((each for each in names if each.partition(" ")[0] in known), None)


def _near(name: str, known: list[str]) -> str:
    slip = mistaken(name, known)
    if slip is not None:
        return f"; did you mean {slip}?"
    return nearest(name, [each for each in known if each.startswith("--")], 0.75)
