"""Code that the engine rejects is made anew: it may have been compiled for another machine."""

from pathlib import Path

import pytest

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.loading import Capsule
from atectl.capsule.mapped_capsule import load_mapped
from atectl.engine.metered import Engine
from atectl.errors import EngineFailure
from tests.support.foreign_code import keep_foreign
from tests.support.loading import load

MODULE = '(module (func (export "_start")))'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "one.wat"
    path.write_text(MODULE)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache.open(tmp_path / "cache")


def test_what_the_engine_rejects_is_compiled_anew_and_kept(
    engine: Engine, cache: ArtifactCache, path: Path
) -> None:
    keep_foreign(cache, path)
    loaded = load_mapped(engine, cache, lambda: load(engine, path, cache))
    assert not loaded.capsule.was_cached
    again = load_mapped(engine, cache, lambda: load(engine, path, cache))
    assert again.capsule.was_cached


def test_what_is_rejected_twice_is_an_error(
    engine: Engine, cache: ArtifactCache, path: Path
) -> None:
    asked = []

    def load_foreign() -> Capsule:
        asked.append(path)
        keep_foreign(cache, path)
        return load(engine, path, cache)

    with pytest.raises(EngineFailure, match=r"one\.wat: the engine cannot take"):
        load_mapped(engine, cache, load_foreign)
    assert len(asked) == 2


def test_a_mapped_capsule_keeps_no_file_open(
    engine: Engine, cache: ArtifactCache, path: Path
) -> None:
    loaded = load_mapped(engine, cache, lambda: load(engine, path, cache))
    assert loaded.capsule.artifact is None
