"""Capsules for tests that need one loaded: compiled, as everywhere, by another process."""

from functools import cache
from pathlib import Path

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import Capsule
from atectl.capsule.loading import load as load_with
from atectl.engine.metered import Engine


def load(engine: Engine, path: Path, cache: ArtifactCache | None = None) -> Capsule:
    """The capsule at `path`, from the cache or compiled."""
    return load_with(engine, path, cache, _compiler(engine.burns_fuel))


@cache
def _compiler(burns_fuel: bool) -> Compiler:
    """One for all tests, that forks without the tests' threads in its way."""
    compiler = Compiler(Engine(fuel=burns_fuel))
    compiler.prepare()
    return compiler
