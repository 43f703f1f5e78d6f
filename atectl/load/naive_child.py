"""A loader that keeps everything, to compare with: what loading is like without care.

So many capsules at once, each read whole, decoded and compiled in one process; what was read, what
was decoded and what was compiled is held until all that were begun together are done, and what was
compiled to the end. Nothing is bounded. Reads the question on stdin as JSON, and answers on stdout.
"""

import json
import sys
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from wasmtime import Module, wat2wasm  # noqa: TID253

from atectl.capsule.encodings import decode
from atectl.capsule.specs import embedded_text
from atectl.engine.metered import Engine
from atectl.system.apart import end_with_parent


def main() -> None:
    """Load what is asked for, and tell how much of it could be compiled."""
    end_with_parent()
    asked = json.load(sys.stdin)
    engine, compiled = Engine(), []
    items, at_once = asked["items"], asked["concurrency"]
    for first in range(0, len(items), at_once):
        compiled += _together(engine, items[first : first + at_once])
    json.dump({"loaded": len(compiled)}, sys.stdout)


def _together(engine: Engine, items: list[list[Any]]) -> list[Any]:
    """Load these at once, and hold all that they take until the last is done."""
    held: list[tuple[str | bytes, bytes, bytes]] = []
    compiled: list[Any] = []

    def load(path: str, offset: int, size: int | None) -> None:
        with suppress(Exception):  # what it cannot load, it does not
            text = _read(Path(path), offset, size)
            raw = bytes.fromhex(text) if isinstance(text, str) else text
            binary = decode(BytesIO(raw), name=f"{Path(path).name}.br").content
            held.append((text, raw, binary))
            compiled.append(_compiled(engine, binary))

    threads = [threading.Thread(target=load, args=item) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return compiled


def _read(path: Path, offset: int, size: int | None) -> str | bytes:
    """The whole of it: hexadecimal digits as text, anything else as it is."""
    content = path.read_bytes()
    if size is not None:
        content = content[offset : offset + size]
    if content.lstrip().startswith(b"{"):
        content = b"".join(embedded_text(iter([content])))
    with suppress(ValueError):
        text = content.decode("ascii").strip()
        bytes.fromhex(text[:64])
        return text
    return content


def _compiled(engine: Engine, binary: bytes) -> Any:
    if not binary.startswith(b"\0asm"):
        binary = bytes(wat2wasm(binary))
    if binary[4:5] == b"\x0d":
        from wasmtime.component import Component

        return Component(engine.native, binary)
    return Module(engine.native, binary)
