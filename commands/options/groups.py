"""Which options stand together in help, under which heading: only commands with many need that."""

from collections.abc import Iterator

USUAL = "Options"
"""The heading of options that belong to no group."""

_REDIS = "Redis server"
_LOADING = ("--max-capsule", "--compile-mem", "--compile-deadline", "--cache", "--no-cache")
_STORE_BOUNDS = ("--max-instances", "--max-memories", "--max-reserved", "--max-fds")
_HOST = (
    *("--limit", "--soft", "--resume", "--backpressure", "--policy", "--spill-dir", "--spill-cap"),
    "--jobs",
)

_FLEET = ("--on", "--host-ttl", "--share", "--tls-ca", "--tls-cert", "--tls-key", "--insecure")
_APART = ("--isolate", "--cells", "--pool")

_GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "atectl run": {
        "Limits": (
            *("--max-mem", "--deadline", "--fuel", "--max-stack", "--max-output"),
            *("--on-refused-growth", *_STORE_BOUNDS),
        ),
        "What the guest gets": (*("--dir", "--env", "--env-file", "--inherit-env", "--invoke"),),
        "Who is charged": ("--principal", "--label", "--ledger", "--host-name"),
        "Output": ("--report", "--live", "--quiet", "--raw-output", "--plain-output"),
        "Loading": _LOADING,
        "Actor lock": (
            *("--actor", "--lock-wait", "--lock-strict", "--lock-ttl", "--lock-prefix"),
        ),
        "Settings": ("--profile",),
    },
    "atectl batch": {
        "Memory of the host": tuple(name for name in _HOST if name != "--jobs"),
        "Jobs": (
            *("--jobs", "--keep-going", "--fail-fast", "--resume-from", "--requeue", "--retries"),
            *("--grace", "--dry-run", *_APART),
        ),
        "Limits of a job": ("--max-output", *_STORE_BOUNDS),
        "Output": (
            *("--output", "--results", "--capture", "--tag", "--trace", "--chart", "--live"),
            "--quiet",
        ),
        "Loading": _LOADING,
        "Who is charged": ("--ledger", "--host-name"),
        "Many machines": _FLEET,
        "Settings": ("--profile",),
    },
    "atectl host join": {
        "Memory of the host": tuple(name for name in _HOST if name != "--jobs"),
        "Jobs": ("--jobs", "--requeue", "--grace", "--capture", *_APART),
        "Limits of a job": ("--max-output", *_STORE_BOUNDS),
        "Loading": _LOADING,
        "Who is charged": ("--ledger", "--host-name"),
        "Many machines": _FLEET,
        "Output": ("--quiet",),
    },
    "atectl budget check": {
        "Memory of the host": _HOST,
        "Loading": ("--max-capsule", "--compile-mem", "--compile-deadline"),
    },
}
"""By the name of the command. The first group of an option is its own; they stand in this order."""


def group_of(command: str, names: tuple[str, ...]) -> str:
    """The heading under which the option with these names stands in the help of a command."""
    for heading, members in _GROUPS.get(command, {}).items():
        if set(names) & set(members):
            return heading
    return _REDIS if any(name.startswith("--redis") for name in names) else USUAL


def headings(command: str) -> Iterator[str]:
    """The headings of a command in their order, without that of options in no group."""
    yield from _GROUPS.get(command, {})
    yield _REDIS
