"""A capsule whose code is mapped into this process, so that leases of it can run here."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.artifact_file import Engine, map_code
from atectl.capsule.loading import Capsule
from atectl.capsule.source import exhausted
from atectl.errors import EngineFailure

if TYPE_CHECKING:
    from atectl.capsule.artifact_file import Code, MappedCode
    from atectl.capsule.cache import ArtifactCache
    from atectl.capsule.creation import Creation
    from atectl.engine.images import InitialMemories
    from atectl.engine.kind import Kind


class MappedCapsule(NamedTuple):
    """A capsule that is ready to be instantiated."""

    capsule: Capsule
    code: "Code"
    images: "InitialMemories | None"
    """What its memories begin with; None if they are all zero, or filled by its code."""

    @property
    def name(self) -> str:
        return self.capsule.name

    @property
    def kind(self) -> "Kind":
        return self.capsule.kind

    @property
    def has_start(self) -> bool:
        return self.capsule.has_start

    @property
    def creates(self) -> "Creation":
        return self.capsule.creates


def load_mapped(
    engine: Engine,
    cache: "ArtifactCache | None",
    load: Callable[[], Capsule],
    capsule: Capsule | None = None,
) -> MappedCapsule:
    """Load a capsule and map its code.

    An artifact that the engine rejects, since it was compiled for another machine or is damaged,
    is taken out of the cache, and made anew.

    Args:
        load: called again if that is so.
        capsule: what it has returned already; None if it was not called yet.

    Raises:
        EngineFailure: the engine rejects what was just compiled, too (exit 125).
        HostExhausted: no more files can be opened (exit 125).
        AtectlError: what `load` raises.
    """
    capsule = capsule or load()
    mapped = _mapped(engine, capsule)
    if mapped is None and capsule.was_cached and cache is not None:
        cache.remove(engine, capsule.sha256)
        capsule = load()
        mapped = _mapped(engine, capsule)
    if mapped is None:
        raise unfit(capsule.name)
    return MappedCapsule(capsule._replace(artifact=None), *mapped)


def unfit(name: str) -> EngineFailure:
    """The error for an artifact that the engine rejects."""
    return EngineFailure(f"{name}: the engine cannot take what it compiled")


def _mapped(engine: Engine, capsule: Capsule) -> "MappedCode | None":
    assert capsule.artifact is not None  # noqa: S101 - it was just loaded
    try:
        return map_code(engine, capsule.kind, capsule.artifact.descriptor)
    except OSError as error:
        raise exhausted(capsule.name, error.errno) from None
