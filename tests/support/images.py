"""Capsules with images, however little data they have, and what is in the memories of instances."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.capsule import outline
from atectl.capsule.artifact_file import MappedCode, file_parts, map_code
from atectl.capsule.initial_content import Separated, separate
from atectl.engine.kind import Kind
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from tests.support.wasm_bytes import binary_of

KIND_OF: dict[bytes, Kind] = {b"\x01\0\0\0": "module", b"\x0d\0\x01\0": "component"}


@contextmanager
def however_little_data() -> Iterator[None]:
    """Every data segment is worth being taken out meanwhile."""
    much = outline.MUCH_SEGMENTS
    outline.MUCH_SEGMENTS = 1
    try:
        yield
    finally:
        outline.MUCH_SEGMENTS = much


def separated(binary: bytes | str) -> Separated | None:
    """A binary or text without the data of its memories; None if nothing was taken out."""
    binary = binary_of(binary) if isinstance(binary, str) else binary
    with however_little_data():
        return separate(binary, KIND_OF[binary[4:8]])


def mapped(engine: Engine, binary: bytes | str) -> MappedCode:
    """A binary or text as it is loaded, with images where it can have any."""
    binary = binary_of(binary) if isinstance(binary, str) else binary
    kind, apart = KIND_OF[binary[4:8]], separated(binary)
    code_class = _class_of(kind)
    code = code_class(engine.native, binary if apart is None else apart.binary)
    descriptor = os.memfd_create("artifact")
    try:
        for part in file_parts(code.serialize(), None if apart is None else apart.images):
            os.write(descriptor, part)
        found = map_code(engine, kind, descriptor)
    finally:
        os.close(descriptor)
    assert found is not None
    return found


def _class_of(kind: Kind) -> Any:
    from wasmtime import Module
    from wasmtime.component import Component

    return Module if kind == "module" else Component


class Instantiated:
    """An instance whose memories begin with images."""

    def __init__(self, engine: Engine, binary: bytes | str, quota_bytes: int = 1 << 30) -> None:
        code = mapped(engine, binary)
        self.images = code.images
        self.memory = LeaseMemory(Meter(Principal(), Quota(quota_bytes), Ledger()))
        self.store = engine.new_store(GuestControl())
        self._engine = engine
        self.memory.expect(code.images)
        linker = engine.shared_linker("module" if "Module" in str(code.code) else "component")
        with engine.memories.charging(self.memory):
            self.instance = linker.instantiate(self.store, code.code)
        self.memory.require_all_made()

    def call(self, name: str, *arguments: int) -> Any:
        """Call a function that a module exports."""
        with self._engine.memories.charging(self.memory):
            return self.instance.exports(self.store)[name](self.store, *arguments)

    @property
    def contents(self) -> list[bytes]:
        """What is in its memories, in the order in which they were made."""
        made = [each.mapped for each in self.memory._memories]
        return [ctypes.string_at(each.base, each.size_bytes) for each in made]
