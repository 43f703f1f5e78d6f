"""The process that compiles a capsule into the cache: see `capsule_shelf`."""

import json
import sys
from pathlib import Path

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.loading import load
from atectl.engine.metered import Engine
from atectl.errors import AtectlError
from atectl.system.apart import end_with_parent


def main() -> None:
    """Compile the capsule that is asked for; tell what kept it from being one, if anything did."""
    end_with_parent()
    asked = json.load(sys.stdin)
    answer = None
    try:
        with ArtifactCache.open(Path(asked["cache"]), max_bytes=asked["max_bytes"]) as cache:
            load(Engine(), Path(asked["capsule"]), cache)
    except AtectlError as error:
        answer = [error.code, str(error), error.remedy]
    json.dump(answer, sys.stdout)
