"""A capsule without the data that its memories begin with, and that data as images.

The modules of a component are changed where they are. An image has to find its memory again, and
the engine does not say whose memory it asks for. But a component makes its instances, and so their
memories, in the order that stands in its sections, and that order is kept with the images. Where it
is not plain, because a module or component that is instantiated comes from outside or from another
instance, nothing of the component is taken out.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from atectl.capsule.artifact_file import Images
from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.capsule.component_walk import COMPONENT, COMPONENTS, CORE_MODULE, CORE_MODULES, tell
from atectl.capsule.data_segments import Edit, ImageArea, Taken, edited, size_edit, take_data
from atectl.engine.images import InitialMemory
from atectl.engine.kind import Kind

MOST_MEMORIES = 4096
"""Nothing is taken out of a component that makes more."""

_MOST_STEPS = 20_000


_T = TypeVar("_T")


class Separated(NamedTuple):
    """A binary without what is in its images."""

    binary: bytes
    images: Images


def separate(binary: bytes, kind: Kind) -> Separated | None:
    """Take the initial content of its memories out of a binary, as far as that is worth it.

    Returns:
        None if nothing is to be taken out: it has little data, or what has to be known is not
        plain.
        Whether it is valid is not checked here; what is invalid stays invalid.
    """
    reader, area = Reader(binary, HEADER_BYTES, len(binary)), ImageArea()
    try:
        take = take_data if kind == "module" else _of_component
        found = take(reader, area)
    except MalformedBinary:
        return None
    if found is None or all(memory.image is None for memory in found.memories):
        return None
    memories, edits = found
    return Separated(edited(binary, edits), Images(memories, area.content))


class _Open:
    """A component that is being read.

    Attributes:
        head: where the size of its section stands and where its contents begin; None if it is the
            outermost.
        steps: what it instantiates.
        shrunk: by how many bytes it gets shorter.
    """

    __slots__ = ("components", "head", "modules", "reader", "shrunk", "steps")

    def __init__(self, reader: Reader, head: tuple[int, int] | None = None) -> None:
        self.reader = reader
        self.head = head
        self.shrunk = 0
        self.steps: list[_Step] = []
        self.modules: list[_Memories | None] = []
        self.components: list[_Steps | None] = []

    def instantiate_module(self, index: int) -> None:
        memories = _at(self.modules, index)
        self.steps.append(_UNKNOWN if memories is None else memories)

    def instantiate(self, index: int, _arguments: list[int]) -> None:
        steps = _at(self.components, index)
        self.steps.append(_UNKNOWN if steps is None else steps)

    def name_import(self, sort: int) -> None:
        self._name(sort)

    def name_export(self, sort: int) -> None:
        self._name(sort)

    def _name(self, sort: int) -> None:
        if sort == COMPONENT:
            self.components.append(None)
        elif sort == CORE_MODULE:
            self.modules.append(None)

    def name_again(self, sort: int, owner: "_Open", index: int) -> None:
        if sort == COMPONENT:
            self.components.append(_at(owner.components, index))
        elif sort == CORE_MODULE:
            self.modules.append(_at(owner.modules, index))


class _Steps(NamedTuple):
    """What a component instantiates, in order. It may still grow while the component is read."""

    steps: "list[_Step]"


class _Unknown(NamedTuple):
    """Something is instantiated that is not known."""


_Memories = tuple[InitialMemory, ...]
_Step = _Memories | _Steps | _Unknown
_UNKNOWN = _Unknown()


def _of_component(reader: Reader, area: ImageArea) -> Taken | None:
    """The memories of a component, and how it is to be changed; None if they are not known."""
    opened, edits = [_Open(reader)], list[Edit]()
    while True:
        component = opened[-1]
        if component.reader.is_at_end:
            opened.pop()
            if not opened:
                break
            opened[-1].components.append(_Steps(component.steps))
            edits += _shrink(opened[-1], component.head, component.reader.end, component.shrunk)
            continue
        start = component.reader.position
        number, contents = component.reader.section()
        head = (start + 1, contents.position)
        if number == CORE_MODULES:
            contents.skip(HEADER_BYTES)
            memories, found = take_data(contents, area)
            component.modules.append(memories)
            edits += found
            shrunk = sum(edit.end - edit.start - len(edit.content) for edit in found)
            edits += _shrink(component, head, contents.end, shrunk)
        elif number == COMPONENTS:
            contents.skip(HEADER_BYTES)
            opened.append(_Open(contents, head))
        else:
            tell(number, contents, opened)
    in_order = _in_order(component.steps)
    return None if in_order is None else Taken(in_order, tuple(sorted(edits)))


def _shrink(around: _Open, head: tuple[int, int] | None, end: int, shrunk: int) -> Iterator[Edit]:
    """Count that a section in a component gets so much shorter, and change its size."""
    if shrunk and head is not None:
        around.shrunk += shrunk
        size_at, contents_at = head
        yield size_edit(size_at, contents_at, end - contents_at - shrunk)


def _in_order(steps: list[_Step]) -> _Memories | None:
    """All memories that these steps make, those of nested components in their place; None if that
    is not known."""
    made, left = list[InitialMemory](), _MOST_STEPS
    yet_to_do = [iter(steps)]
    while yet_to_do:
        step = next(yet_to_do[-1], None)
        left -= 1
        if isinstance(step, _Unknown) or left < 0 or len(made) > MOST_MEMORIES:
            return None
        if step is None:
            yet_to_do.pop()
        elif isinstance(step, _Steps):
            yet_to_do.append(iter(step.steps))
        else:
            made += step
    return tuple(made)


def _at(items: "list[_T | None]", index: int) -> "_T | None":
    """What is at an index; None if that is not known."""
    return items[index] if index < len(items) else None
