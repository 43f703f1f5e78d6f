"""Capsules for tests that need one loaded: compiled, as everywhere, by another process."""

from functools import cache
from pathlib import Path

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.policies import rules
from atectl.capsule.artifact_file import map_code
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import Capsule
from atectl.capsule.loading import load as load_with
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.capsule.mapped_capsule import load_mapped as mapped_with
from atectl.engine.metered import Engine
from atectl.engine.settings import EngineSettings


def load(engine: Engine, path: Path, cache: ArtifactCache | None = None) -> Capsule:
    """The capsule at `path`, from the cache or compiled."""
    return load_with(engine, path, cache, _compiler(engine.settings.burns_fuel))


def load_mapped(engine: Engine, path: Path, cache: ArtifactCache | None = None) -> MappedCapsule:
    """The same, ready to be instantiated."""
    return mapped_with(engine, cache, lambda: load(engine, path, cache))


def exports_of(engine: Engine, capsule: Capsule) -> list[str]:
    """What the code of a module exports."""
    assert capsule.artifact is not None
    mapped = map_code(engine, capsule.kind, capsule.artifact.descriptor)
    assert mapped is not None
    return [export.name for export in mapped.code.exports]  # type: ignore[union-attr]


@cache
def _compiler(burns_fuel: bool) -> Compiler:
    """One for all tests, that forks without the tests' threads in its way."""
    compiler = Compiler(Engine(EngineSettings(burns_fuel=burns_fuel)))
    compiler.prepare()
    return compiler


def compile_room(limit_bytes: int = 1 << 40) -> CompileRoom:
    """Room for one at a time."""
    arbiter = Arbiter(Budget(limit_bytes), rules("park"), lambda: None)
    return arbiter.compile_room(1, 1 << 29)
