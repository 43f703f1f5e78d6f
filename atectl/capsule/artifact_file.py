"""The file of a compiled capsule: its code, the images of its memories, and where these are.

    the engine's artifact | zeros to a full page | the images | the layout | the mark, its length

All of it is one file, so that it is written whole or not at all, removed together, and handed to a
process as one descriptor. The engine reads no further than its artifact. A file that ends otherwise
than with the mark is none: without its images, a capsule would run with wrong data.
"""

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atectl.capsule.records import decode, encode
from atectl.capsule.source import WANTS

if TYPE_CHECKING:
    import wasmtime
    from wasmtime.component import Component

    from atectl.engine.images import InitialMemories, InitialMemory
    from atectl.engine.kind import Kind

    Code = wasmtime.Module | Component

_MARK = b"atectl-1"
_END_BYTES = 16
_MEMORIES = "memories"


class Target(Protocol):
    """What artifacts are made for: an engine, or the settings of one."""

    @property
    def fingerprint(self) -> str:
        """What decides whether an artifact can be used: wasmtime's version and configuration."""
        ...


class Engine(Target, Protocol):
    """An engine that maps artifacts."""

    native: "wasmtime.Engine"


class ArtifactFile:
    """The file of a compiled capsule, open for as long as this exists.

    Args:
        descriptor: closed with this.
    """

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @property
    def size_bytes(self) -> int:
        return os.fstat(self.descriptor).st_size

    def duplicate(self) -> int:
        """Another descriptor of it, to be closed.

        Raises:
            OSError: there is none left.
        """
        return os.dup(self.descriptor)

    def __del__(self) -> None:
        os.close(self.descriptor)


class MappedCode(NamedTuple):
    """The code of a capsule, mapped, and what its memories begin with; None if that is nothing."""

    code: "Code"
    images: "InitialMemories | None"


class Images(NamedTuple):
    """The memories that an instantiation of a capsule makes, with images whose places count from
    where the images begin; and these, one behind the other."""

    memories: "tuple[InitialMemory, ...]"
    content: Sequence[bytes | bytearray]


def file_parts(artifact: bytes | bytearray, images: Images | None) -> Iterator[bytes | bytearray]:
    """What such a file consists of, in order."""
    yield artifact
    if images is None:
        yield _end(b"")
        return
    from atectl.engine.images import ALIGNMENT

    padding = bytes(-len(artifact) % ALIGNMENT)
    yield padding
    yield from images.content
    layout = encode({_MEMORIES: _told(images.memories, len(artifact) + len(padding))})
    yield layout
    yield _end(layout)


def image_bytes_in(descriptor: int) -> int | None:
    """The size of all images in such a file together; None if the file is damaged."""
    memories = _read(descriptor)
    if memories is None:
        return None
    return sum(image.size_bytes for _, image in memories if image is not None)


def map_code(engine: Engine, kind: "Kind", descriptor: int) -> MappedCode | None:
    """The code in such a file, mapped; None if it is damaged, or the engine rejects it.

    Raises:
        OSError: there is no descriptor or no memory left.
    """
    memories = _read(descriptor)
    # By the descriptor, so that exactly the file that was checked is mapped, whatever its name
    # leads to now.
    path = f"/proc/self/fd/{descriptor}"
    code = _code(kind, lambda form: form.deserialize_file(engine.native, path))
    if memories is None or code is None:
        return None
    return MappedCode(code, _images(os.dup(descriptor), memories) if memories else None)


def copy_code(engine: Engine, kind: "Kind", descriptor: int) -> MappedCode | None:
    """The same, copied: for a process that can open nothing, and keeps the descriptor open."""
    memories = _read(descriptor)
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    code = _code(kind, lambda form: form.deserialize(engine.native, content))
    if memories is None or code is None:
        return None
    return MappedCode(code, _images(descriptor, memories, is_owned=False) if memories else None)


def _images(
    descriptor: int, memories: "tuple[InitialMemory, ...]", *, is_owned: bool = True
) -> "InitialMemories":
    # Small capsules have none, and should not pay for this import.
    from atectl.engine.images import InitialMemories

    return InitialMemories(descriptor, memories, is_owned=is_owned)


def _code(kind: "Kind", deserialize: "Callable[[type[Code]], Code]") -> "Code | None":
    from wasmtime import Module, WasmtimeError

    try:
        if kind == "module":
            return deserialize(Module)
        from wasmtime.component import Component

        return deserialize(Component)
    except WasmtimeError as error:
        for number in WANTS:
            if f"(os error {number})" in str(error):
                raise OSError(number, os.strerror(number)) from None
        return None


def _end(layout: bytes) -> bytes:
    return _MARK + len(layout).to_bytes(_END_BYTES - len(_MARK), "little")


def _read(descriptor: int) -> "tuple[InitialMemory, ...] | None":
    """The memories in a file, which are none if no image is in it; None if it is damaged."""
    at = os.fstat(descriptor).st_size - _END_BYTES
    end = os.pread(descriptor, _END_BYTES, at) if at > 0 else b""
    if not end.startswith(_MARK):
        return None
    size_bytes = int.from_bytes(end[len(_MARK) :], "little")
    if not size_bytes:
        return ()
    at -= size_bytes
    layout = decode(os.pread(descriptor, size_bytes, at)) if at > 0 else None
    if layout is None:
        return None
    memories = tuple(map(_memory, layout[_MEMORIES].split(",")))
    return memories if all(_is_within(each, at) for each in memories) else None


def _told(memories: "tuple[InitialMemory, ...]", begin: int) -> str:
    """The memories as one line."""
    return ",".join(
        str(size_bytes)
        if image is None
        else f"{size_bytes} {begin + image.place} {image.offset} {image.size_bytes}"
        for size_bytes, image in memories
    )


def _memory(told: str) -> "InitialMemory":
    from atectl.engine.images import Image, InitialMemory

    size_bytes, *image = map(int, told.split())
    return InitialMemory(size_bytes, Image(*image) if image else None)


def _is_within(memory: "InitialMemory", end: int) -> bool:
    """Whether its image can be mapped here: beyond the end of a file nothing can be read."""
    image = memory.image
    if image is None:
        return True
    return (
        image.place + image.size_bytes <= end
        and image.offset + image.size_bytes <= memory.size_bytes
        and image.place % mmap.PAGESIZE == 0
    )
