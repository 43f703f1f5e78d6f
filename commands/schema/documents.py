"""The documents that atectl writes for programs or reads from files, and where each is declared."""

from typing import Any, NamedTuple

from atectl.errors import UsageError, nearest


class Document(NamedTuple):
    """A document: what writes it or reads it, and what declares it, as `module:name`."""

    name: str
    used_by: str
    declared: str

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        from atectl.records.schema import schema_of

        return schema_of(self.name, f"atectl.{self.declared}")


DOCUMENTS = (
    Document("run-report", "atectl run --report", "lease.report:Report"),
    Document("batch-result", "atectl batch, a line a job", "batch.lines:ResultLine"),
    Document("batch-plan", "atectl batch --dry-run -o json", "batch.planned:PlannedJobs"),
    Document("trace", "atectl batch --trace, a line an event", "trace.reading:LINES"),
    Document("job", "atectl batch -, a line a job", "budget.jobs:JOB"),
    Document("budget", "atectl batch, atectl budget check", "budget.file:FILE"),
    Document("budget-check", "atectl budget check -o json", "budget.results:CheckReport"),
    Document("budget-plan", "atectl budget plan -o json", "budget.plan:PlanReport"),
    Document("budget-simulate", "atectl budget simulate -o json", "trace.results:SimulationReport"),
    Document("host-ls", "atectl host ls -o json", "batch.fleet.facts:HostList"),
    Document("ledger-ls", "atectl ledger ls -o json", "ledger_store.results:AccountList"),
    Document("ledger-ps", "atectl ledger ps -o json", "ledger_store.results:LeaseList"),
    Document("ledger-history", "atectl ledger history -o json", "ledger_store.results:LeaseList"),
    Document("ledger-ls-by", "atectl ledger ls --by -o json", "ledger_store.overview:GroupList"),
    Document(
        "ledger-export",
        "atectl ledger export --format json",
        "ledger_store.export.metrics:MetricList",
    ),
    Document("ledger-usage", "atectl ledger usage -o json", "ledger_store.usage:UsageList"),
    Document("ledger-show", "atectl ledger show -o json", "ledger_store.overview:AccountDetails"),
    Document("locks-ls", "atectl locks ls -o json", "locks.results:LockList"),
    Document("locks-show", "atectl locks show -o json", "locks.results:LockReport"),
    Document("locks-audit", "atectl locks audit -o json", "locks.results:AttemptList"),
    Document("locks-acl", "atectl locks acl -o json", "locks.acl:AclRules"),
    Document("load", "atectl load -o json", "load.results:LoadReport"),
    Document("inspect", "atectl inspect -o json", "capsule.inspection:Inspection"),
    Document("cache-ls", "atectl cache ls -o json", "capsule.cache_list:ArtifactList"),
    Document("config-show", "atectl config show -o json", "commands.config.settings:SettingList"),
    Document("doctor", "atectl doctor -o json", "health.checks:HealthReport"),
    Document("bounds", "atectl explain bounds -o json", "lease.bounds:BoundList"),
    Document("error", "any command with -o json, on stderr", "records.errors:ToldError"),
    Document("explain", "atectl explain -o json", "records.errors:ErrorList"),
    Document("schema", "atectl schema -o json", "commands.schema.documents:DocumentList"),
    Document("settings", "atectl, from atectl.toml", "config:settings_table"),
)
"""Every document, those of runs first."""


class DocumentEntry(NamedTuple):
    """A document that has a schema."""

    name: str
    """Its name, which `atectl schema NAME` takes."""
    title: str
    """What it is."""
    used_by: str
    """What writes it or reads it."""


class DocumentList(NamedTuple):
    """The documents that have a schema."""

    documents: tuple[DocumentEntry, ...]
    """Those of runs first."""


def find_document(name: str) -> Document:
    """The document of this name.

    Raises:
        UsageError: there is none (exit 2).
    """
    known = {document.name: document for document in DOCUMENTS}
    if name not in known:
        raise UsageError(
            f"there is no schema {name!r}{nearest(name, list(known))}",
            remedy="`atectl schema` lists them",
        )
    return known[name]


def list_documents() -> DocumentList:
    """Every document, by its title."""
    return DocumentList(
        tuple(DocumentEntry(each.name, each.schema()["title"], each.used_by) for each in DOCUMENTS)
    )
