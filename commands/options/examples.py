"""Examples for the help of each command, and for its manual page."""

from typing import NamedTuple


class Example(NamedTuple):
    """A command line, and what it does: words that a colon can follow."""

    says: str
    line: str


def _examples(*pairs: tuple[str, str]) -> tuple[Example, ...]:
    return tuple(Example(says, f"atectl {words}") for says, words in pairs)


_TOP = _examples(
    ("Watch who uses how much", "ledger top"),
    ("Print one snapshot, for a script", "ledger top --once"),
)
_PS = _examples(
    ("See what runs on this host", "ledger ps"),
    ("The same for a script", "ledger ps -o json"),
)

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "atectl": _examples(
        ("Run a capsule with at most 16 MiB of memory", "run --max-mem 16MiB capsule.wasm"),
        ("See who has used how much", "ledger ls"),
        ("Run many capsules under one limit", "batch jobs.toml --limit 1GiB"),
        ("Learn what an error means", "explain E301"),
    ),
    "atectl run": _examples(
        ("Give a guest at most 16 MiB and 10 seconds", "run -m 16MiB --deadline 10s capsule.wasm"),
        ("Let it read one folder and write another", "run -v in::/in:ro -v out::/out capsule.wasm"),
        ("Pass it arguments and a variable", "run -e MODE=fast capsule.wasm --size 3"),
        (
            "Charge it to a principal, and write a report",
            "run --principal alice --report r.json a.wasm",
        ),
        ("Call one of its exports", "run --invoke add calculator.wasm 2 40"),
    ),
    "atectl batch": _examples(
        ("Run the jobs of a file under 1 GiB, four at once", "batch jobs.toml --limit 1GiB -j 4"),
        ("Take jobs from stdin, a JSON object a line", "batch -"),
        ("Go on with a batch that was interrupted", "batch jobs.toml --resume-from results.jsonl"),
        ("Draw its memory over time", "batch jobs.toml --limit 1GiB --chart memory.svg"),
        ("Run them on the hosts of a scheduler", "batch jobs.toml --on tcp://127.0.0.1:8786"),
    ),
    "atectl host": _examples(
        ("Run jobs of other machines here", "host join tcp://127.0.0.1:8786 --limit 8GiB"),
        ("See which hosts there are", "host ls --on tcp://127.0.0.1:8786"),
    ),
    "atectl host join": _examples(
        ("Run jobs that a batch on this machine submits", "host join tcp://127.0.0.1:8786"),
        (
            "Take at most 8 GiB of this machine for them",
            "host join tcp://127.0.0.1:8786 --limit 8GiB",
        ),
    ),
    "atectl host ls": _examples(
        ("See which hosts there are, and how they fare", "host ls --on tcp://127.0.0.1:8786"),
    ),
    "atectl load": _examples(
        ("Check every capsule in a folder", "load -r capsules"),
        ("See which of them start with 64 MiB", "load -r capsules --fits 64MiB"),
    ),
    "atectl inspect": _examples(
        ("See what a capsule imports, and the least memory that it starts with", "inspect a.wasm"),
        ("The same for a script", "inspect a.wasm -o json"),
    ),
    "atectl budget init": _examples(
        ("Write budget.toml, with a comment for every key", "budget init"),
        ("Print it instead", "budget init -"),
    ),
    "atectl budget check": _examples(
        ("See whether every lease can have its quota at the same time", "budget check budget.toml"),
        ("Fail in CI if they cannot", "budget check budget.toml --strict"),
        ("Try another limit than that of the file", "budget check budget.toml --limit 2GiB"),
    ),
    "atectl budget plan": _examples(
        ("Plan quotas from what was used, with a quarter more", "budget plan --headroom 25%"),
        ("Compare them with a budget file", "budget plan --diff budget.toml"),
        ("Write them as a budget file", "budget plan --write planned.toml"),
    ),
    "atectl budget simulate": _examples(
        ("Replay a recorded batch under half its limit", "budget simulate t.jsonl --limit 512MiB"),
        ("Compare two policies", "budget simulate t.jsonl --policy largest --policy priority"),
    ),
    "atectl ledger ls": _examples(
        ("See who has used how much", "ledger ls"),
        ("Begin with the highest peaks", "ledger ls --sort peak"),
        ("The same for a script", "ledger ls -o json"),
    ),
    "atectl ledger ps": _PS,
    "atectl ps": _PS,
    "atectl ledger show": _examples(
        ("See one principal's account and latest leases", "ledger show alice"),
    ),
    "atectl ledger history": _examples(
        ("See the latest finished leases of a principal", "ledger history --principal alice"),
        ("Take them into a spreadsheet", "ledger history -o csv"),
    ),
    "atectl ledger top": _TOP,
    "atectl top": _TOP,
    "atectl ledger usage": _examples(
        ("See what was used each day", "ledger usage --period day"),
        (
            "Take one month, by host, into a spreadsheet",
            "ledger usage --period 2026-11 --by host -o csv",
        ),
    ),
    "atectl ledger merge": _examples(
        ("Add what two machines have counted", "ledger merge east.db west.db"),
    ),
    "atectl ledger export": _examples(
        ("Print all metrics for Prometheus", "ledger export"),
        (
            "Write them where node_exporter finds them",
            "ledger export --textfile /var/lib/node_exporter",
        ),
    ),
    "atectl ledger report": _examples(
        ("Draw what a principal used, as a page", "ledger report alice --html alice.html"),
    ),
    "atectl ledger serve": _examples(
        ("Serve a page and metrics on this machine", "ledger serve"),
        (
            "Let other machines in with a token",
            "ledger serve --listen 0.0.0.0:9464 --token-file token",
        ),
    ),
    "atectl ledger end": _examples(
        ("End a run, or one guest of a batch, by the beginning of its id", "ledger end 019abc12"),
    ),
    "atectl ledger reset": _examples(
        ("Remove one account, after a question", "ledger reset alice"),
        ("Remove it in a script", "ledger reset alice --yes"),
    ),
    "atectl locks ls": _examples(
        ("See who holds which actor", "locks ls"),
        ("Only the locks that nobody renews", "locks ls --stale"),
        ("Fail in CI if a lock never frees itself", "locks ls -o json --fail-on stuck"),
    ),
    "atectl locks show": _examples(
        ("See everything about one lock", "locks show demo/web"),
    ),
    "atectl locks release": _examples(
        ("Look at a lock and judge it, and delete nothing", "locks release demo/web --dry-run"),
        ("Wait until it frees itself", "locks release demo/web --wait"),
        (
            "Delete it in a script, if it has this token",
            "locks release demo/web --yes --token TOKEN",
        ),
    ),
    "atectl locks hold": _examples(
        (
            "Run a command that nobody else may run meanwhile",
            "locks hold staging/web -- ./deploy.sh",
        ),
        ("Wait two minutes at most", "locks hold staging/web --lock-wait 2m -- ./deploy.sh"),
    ),
    "atectl locks audit": _examples(
        ("See who released which lock", "locks audit"),
    ),
    "atectl locks acl": _examples(
        ("Print the rules for the server's users", "locks acl"),
        ("Those for the nodes of a cluster", "locks acl --cluster"),
    ),
    "atectl locks demo": _examples(
        ("Lay sample locks into a test server", "locks demo --redis redis://127.0.0.1:6379"),
        ("Remove them", "locks demo --remove --redis redis://127.0.0.1:6379"),
    ),
    "atectl cache ls": _examples(
        ("See what was compiled, the latest used first", "cache ls"),
    ),
    "atectl cache prune": _examples(
        ("Shrink the cache to 1 GiB", "cache prune --max-size 1GiB"),
    ),
    "atectl cache clear": _examples(
        ("Remove all compiled capsules, after a question", "cache clear"),
        ("Remove them in a script", "cache clear --yes"),
    ),
    "atectl config show": _examples(
        ("See every setting, and where it comes from", "config show"),
        ("See what is set, in a profile's place", "config show --set --profile ci"),
    ),
    "atectl completions show": _examples(
        ("Write the file for fish where you like", "completions show fish"),
    ),
    "atectl completions install": _examples(
        ("Complete atectl in the shell that you log in with", "completions install"),
    ),
    "atectl completions uninstall": _examples(
        ("Remove what was installed for this user", "completions uninstall"),
    ),
    "atectl completions check": _examples(
        ("See that the files in a folder are up to date", "completions check completions"),
    ),
    "atectl man show": _examples(
        ("Print the page of a command", "man show run"),
    ),
    "atectl man write": _examples(
        ("Write all pages where man(1) of this user looks", "man write ~/.local/share/man/man1"),
    ),
    "atectl man check": _examples(
        ("See that the pages in a folder are up to date", "man check completions/man"),
    ),
    "atectl explain": _examples(
        ("Learn what an error means, and what to do", "explain E301"),
        ("List all errors", "explain"),
        ("See what is bounded, and by which option", "explain bounds"),
    ),
    "atectl schema": _examples(
        ("List the documents", "schema"),
        ("Print the schema of a run's report", "schema run-report"),
    ),
    "atectl doctor": _examples(
        ("Check this machine and this installation", "doctor"),
    ),
}
"""By the name of the command, all its words. A group shows the first of each of its commands."""
