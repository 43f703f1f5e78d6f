"""The Lua scripts for locks, which the server runs: the files in the folder `lua`."""

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

FOLDER = Path(__file__).parent / "lua"

ScriptName: TypeAlias = Literal["acquire", "look", "release", "release_seen", "renew", "sample"]


@cache
def source_of(script: ScriptName) -> str:
    """The text of a script. Each file is read once, when its script is first needed."""
    return (FOLDER / f"{script}.lua").read_text(encoding="utf-8")
