"""What `atectl load` tells of each capsule, and of all."""

from typing import Literal, NamedTuple

from atectl.capsule.encodings import Encoding
from atectl.capsule.interface import MissingImportNote
from atectl.capsule.module_facts import Memory, Table
from atectl.capsule.names import Producer
from atectl.engine.kind import Kind
from atectl.errors import AtectlError
from atectl.load.facts import Facts
from atectl.load.naive import NaiveRun
from atectl.load.start import Start

OK, UNFIT = "ok", "unfit"

_WORDS = {
    "E201": "missing",
    "E202": "unreadable",
    "E203": "not-wasm",
    "E204": "truncated",
    "E205": "invalid",
    "E206": "native",
    "E207": "imports",
    "E209": "too-large",
    "E210": "memory",
    "E211": "time",
    "E212": "instances",
    "E221": "bomb",
    "E222": "undecodable",
    "E223": "manifest",
    "E224": "mismatch",
    "E302": "hangs",
    "E303": "traps",
    "E319": "memory",
    "E721": "extra",
}
_FAILED = "failed"
"""The verdict of all other errors, which say nothing of the capsule: something of this machine
failed."""


class LoadedCapsule(NamedTuple):
    """One capsule: what it is, what it needs, and what loading it came to.

    What is not known of one that is bad is null, or empty.
    """

    path: str
    """Its file as it was found; with `#` and a number for one of several specs in a file."""
    verdict: str
    """`ok`, or in one word what is wrong."""
    code: str | None = None
    """Of the error that running it would end with; null if it is `ok` or `unfit`."""
    reason: str | None = None
    """What is wrong; null if it is `ok`."""
    package: str | None = None
    """What its Capsule.toml or its spec calls it."""
    version: str | None = None
    """Which version of that it is."""
    kind: Kind | None = None
    """Whether it is a core module or a component."""
    form: Literal["binary", "text"] | None = None
    """Which of the two forms is in the file, behind all encodings."""
    encodings: tuple[Encoding, ...] = ()
    """What lies over the capsule, the outermost first."""
    size_bytes: int | None = None
    """Of the file, or of the spec in it."""
    binary_bytes: int | None = None
    """Of its binary form."""
    sha256: str | None = None
    """Of the file, or of the spec in it."""
    imports: tuple[str, ...] = ()
    """What it imports, by name."""
    missing_imports: tuple[MissingImportNote, ...] = ()
    """What it imports and atectl does not provide."""
    exports: tuple[str, ...] = ()
    """What it exports, by name."""
    memories: tuple[Memory, ...] = ()
    """Its memories; those of all core modules of a component."""
    tables: tuple[Table, ...] = ()
    """Its tables; not known of a component."""
    has_start: bool | None = None
    """Whether a function of it runs as it is instantiated."""
    producers: tuple[Producer, ...] = ()
    """The tools that made it."""
    min_memory_bytes: int | None = None
    """The smallest `--max-mem` that lets it start."""
    is_tried: bool = False
    """Whether that was found out by instantiating it; else it is what the capsule declares."""
    compile_s: float | None = None
    """How long it took to compile, this time or when it was; null where that is not known."""
    compile_peak_bytes: int | None = None
    """What the process that compiled it took at most, this time or when it was."""
    artifact_bytes: int | None = None
    """Of its compiled form."""
    cached: bool = False
    """Whether it was compiled before."""

    @property
    def is_ok(self) -> bool:
        return self.verdict == OK


class LoadReport(NamedTuple):
    """What loading many capsules came to."""

    capsules: tuple[LoadedCapsule, ...]
    """Each capsule, in the order in which they were named."""
    bad: int
    """How many of them are not `ok`."""
    wall_s: float
    """How long it all took."""
    limit_bytes: int
    """What loading was held to, by estimate."""
    peak_bytes: int | None
    """The most that atectl and all its processes held at a time; memory that several share counts
    for each of them. Null where the system does not tell."""
    host_peak_bytes: int | None
    """The most that atectl's own process held."""
    naive: NaiveRun | None = None
    """What the naive loader took for the same capsules; null where it was not asked for."""


def bad(row: LoadedCapsule, error: AtectlError) -> LoadedCapsule:
    """The row of a capsule that ends with an error."""
    word = _WORDS.get(error.code, _FAILED)
    return row._replace(verdict=word, code=error.code, reason=str(error))


def with_facts(row: LoadedCapsule, facts: Facts) -> LoadedCapsule:
    """The row with what is known of its capsule."""
    return row._replace(
        kind=facts.kind,
        form=facts.form,
        encodings=facts.encodings,
        binary_bytes=facts.binary_bytes,
        imports=facts.imports,
        missing_imports=facts.missing_imports,
        exports=facts.exports,
        memories=facts.memories,
        tables=facts.tables,
        has_start=None if facts.kind == "component" else facts.has_start,
        producers=facts.producers,
        min_memory_bytes=facts.declared_bytes,
    )


def bad_start(row: LoadedCapsule, start: Start) -> LoadedCapsule:
    """The row of a capsule that does not start."""
    word = _WORDS.get(start.code or "", _FAILED)
    return row._replace(verdict=word, code=start.code, reason=start.said)
