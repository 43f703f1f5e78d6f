"""The kinds of WebAssembly artifact."""

from typing import Literal

Kind = Literal["module", "component"]
