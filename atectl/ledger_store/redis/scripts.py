"""The Lua scripts of the ledger, which the server runs: the files in the folder `lua`."""

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

_FOLDER = Path(__file__).parent / "lua"

ScriptName: TypeAlias = Literal["flush", "merge", "reset"]


@cache
def source_of(script: ScriptName) -> str:
    """The text of a script. Each file is read once, when its script is first needed."""
    names = (script,) if script == "reset" else ("counting", script)
    return "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
