"""Code in the cache that this machine's engine rejects, as another machine may leave it there."""

import hashlib
import os
from pathlib import Path

from wasmtime import Module

from atectl.capsule.artifact_file import file_parts
from atectl.capsule.cache import ArtifactCache, Made
from atectl.capsule.creation import Creation
from atectl.engine.metered import Engine
from atectl.engine.settings import DEFAULT_SETTINGS, EngineSettings


def keep_foreign(cache: ArtifactCache, path: Path) -> None:
    """Keep code for the capsule at `path` that was compiled by an engine of other settings."""
    other = Engine(EngineSettings(burns_fuel=True))
    code = Module(other.native, path.read_text()).serialize()
    content = b"".join(file_parts(code, None))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    made = Made(sha256, "module", Creation(), False, hashlib.sha256(content).hexdigest())
    file = cache.new_artifact()
    assert file is not None
    with file:
        os.write(file.descriptor, content)
        cache.keep(DEFAULT_SETTINGS, file, made, capsule=path.name)
    other.close()
