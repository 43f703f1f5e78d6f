"""A compiled capsule and its images are one file, of which a part is as good as none."""

import os
from collections.abc import Iterator

import pytest

from atectl.capsule.artifact_file import copy_code, file_parts, map_code
from atectl.engine.images import ALIGNMENT
from atectl.engine.metered import Engine
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.images import mapped, separated
from tests.support.wasm_bytes import binary_of

TEXT = '(module (memory 3) (data (i32.const 65600) "here it is") (func (export "_start")))'


@pytest.fixture
def content(engine: Engine) -> bytes:
    from wasmtime import Module

    apart = separated(TEXT)
    assert apart is not None
    return b"".join(file_parts(Module(engine.native, apart.binary).serialize(), apart.images))


@pytest.fixture
def descriptor() -> Iterator[int]:
    descriptor = os.memfd_create("artifact")
    yield descriptor
    os.close(descriptor)


def test_an_image_is_where_the_file_says(engine: Engine, content: bytes, descriptor: int) -> None:
    os.write(descriptor, content)
    found = map_code(engine, "module", descriptor)
    assert found is not None
    assert found.images is not None
    [memory] = found.images.memories
    assert memory.size_bytes == 3 * ALIGNMENT
    assert memory.image is not None
    assert memory.image[1:] == (ALIGNMENT, ALIGNMENT)
    assert memory.image.place % ALIGNMENT == 0
    at = memory.image.place + 64
    assert os.pread(found.images.descriptor, 10, at) == b"here it is"
    assert found.images.image_bytes == ALIGNMENT


def test_a_copy_has_the_same_images(engine: Engine, content: bytes, descriptor: int) -> None:
    os.write(descriptor, content)
    copied, found = copy_code(engine, "module", descriptor), map_code(engine, "module", descriptor)
    assert copied is not None
    assert found is not None
    assert copied.images is not None
    assert found.images is not None
    assert copied.images.memories == found.images.memories
    assert copied.images.descriptor == descriptor


def test_a_capsule_without_data_has_no_images(engine: Engine) -> None:
    assert mapped(engine, "(module (memory 1))").images is None


def test_images_keep_one_descriptor_open_as_long_as_they_exist(engine: Engine) -> None:
    before = open_descriptors()
    code = mapped(engine, TEXT)
    assert len(opened_since(before)) == 2  # the engine keeps one, too
    del code
    assert opened_since(before) == []


@pytest.mark.parametrize("missing", [1, 15, 16, 17, 100, ALIGNMENT, ALIGNMENT + 200])
def test_a_truncated_file_is_none(
    engine: Engine, content: bytes, descriptor: int, missing: int
) -> None:
    os.write(descriptor, content[:-missing])
    assert map_code(engine, "module", descriptor) is None


def test_a_file_whose_layout_was_changed_is_none(
    engine: Engine, content: bytes, descriptor: int
) -> None:
    at = content.rindex(b"memories ") + len(b"memories ")
    os.write(descriptor, content[:at] + b"9" + content[at + 1 :])
    assert map_code(engine, "module", descriptor) is None


def test_an_image_beyond_the_end_of_its_file_is_not_mapped(engine: Engine, descriptor: int) -> None:
    from wasmtime import Module

    apart = separated(TEXT)
    assert apart is not None
    artifact = Module(engine.native, apart.binary).serialize()
    without = apart.images._replace(content=[])
    for part in file_parts(artifact, without):
        os.write(descriptor, part)
    assert map_code(engine, "module", descriptor) is None


def test_an_artifact_alone_is_none(engine: Engine, descriptor: int) -> None:
    from wasmtime import Module

    os.write(descriptor, Module(engine.native, binary_of(TEXT)).serialize())
    assert map_code(engine, "module", descriptor) is None
