"""What a component creates, counted without creating any of it.

A component can instantiate another twice, which does the same, and so on. With a few bytes for
each level that is more instances than could ever be made, and the engine would lay out each.
Here they are only counted, by multiplication. The format is the component model's binary format.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.capsule.component_walk import COMPONENT, COMPONENTS, CORE_MODULE, CORE_MODULES, tell
from atectl.capsule.creation import Creation
from atectl.capsule.module_state import ModuleState, module_state

ENDLESS = 1 << 62
"""The upper bound of all counts."""

_CANONICAL = 8

_INSTANCE_BYTES = 1024
"""What the engine keeps for an instance of a component, without its parts."""

_CANONICAL_BYTES = 64
"""What it keeps for each function that is lifted or lowered between a component and its modules."""


class _Cost(NamedTuple):
    """What one instantiation of a component makes, apart from what its arguments make.

    `unknown` counts instances of core modules of which it is not known which module they are of;
    `tables`, `memories` and `state_bytes` are those of all others. `per_argument` is how often it
    instantiates a component that it gets as an argument. One that `is_given` is such an argument.
    """

    tables: int = 0
    memories: int = 0
    state_bytes: int = 0
    unknown: int = 0
    instances: int = 0
    per_argument: int = 0
    is_given: bool = False


_GIVEN = _Cost(per_argument=1, is_given=True)
_UNKNOWN = _Cost(unknown=ENDLESS, instances=ENDLESS)
"""The cost of a component that an instance exports. Its parts are not tracked, so it is endless."""


class _Open:
    """A component that is still being read.

    `components` and `modules` are those that it can refer to; a module is None if it is not known.
    """

    __slots__ = (
        "components", "instances", "memories", "modules", "per_argument", "reader", "state_bytes",
        "tables", "unknown",
    )  # fmt: skip

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.components: list[_Cost] = []
        self.modules: list[ModuleState | None] = []
        self.tables = self.memories = self.unknown = self.instances = self.per_argument = 0
        self.state_bytes = _INSTANCE_BYTES

    def instantiate_module(self, index: int) -> None:
        if index >= len(self.modules):
            raise MalformedBinary(f"there is no core module {index}")
        module = self.modules[index]
        self.instances += 1
        if module is None:
            self.unknown += 1
        else:
            self.tables += module.tables
            self.memories += module.memories
            self.state_bytes += module.state_bytes

    def name_import(self, sort: int) -> None:
        self._name(sort, _GIVEN)

    def name_export(self, sort: int) -> None:
        self._name(sort, _UNKNOWN)

    def _name(self, sort: int, cost: _Cost) -> None:
        """Add a component of this cost, or a core module that is not known, to its indices."""
        if sort == COMPONENT:
            self.components.append(cost)
        elif sort == CORE_MODULE:
            self.modules.append(None)

    def name_again(self, sort: int, owner: "_Open", index: int) -> None:
        if sort == COMPONENT:
            self.components.append(owner.named(index))
        elif sort == CORE_MODULE:
            self.modules.append(owner.modules[index] if index < len(owner.modules) else None)

    def named(self, index: int) -> _Cost:
        """The cost of the component with this index."""
        if index >= len(self.components):
            raise MalformedBinary(f"there is no component {index}")
        return self.components[index]

    def instantiate(self, index: int, arguments: list[int]) -> None:
        cost, passed = self.named(index), [self.named(each) for each in arguments]
        if cost.is_given and passed:
            cost = _UNKNOWN
        most = _Cost(*(max(column) for column in zip(_Cost(), *passed, strict=True)))
        made = cost.per_argument
        self.tables += cost.tables + made * most.tables
        self.memories += cost.memories + made * most.memories
        self.state_bytes += cost.state_bytes + made * most.state_bytes
        self.unknown += cost.unknown + made * most.unknown
        self.instances += 1 + cost.instances + made * most.instances
        self.per_argument += made if cost.is_given else made * most.per_argument

    def cost(self) -> _Cost:
        return _Cost(
            min(self.tables, ENDLESS),
            min(self.memories, ENDLESS),
            min(self.state_bytes, ENDLESS),
            min(self.unknown, ENDLESS),
            min(self.instances, ENDLESS),
            min(self.per_argument, ENDLESS),
        )


def composition(reader: Reader) -> Creation:
    """What one instantiation of a component creates at most; `ENDLESS` stands for that or more.

    `reader` is at its first section.

    Raises:
        MalformedBinary: it does not follow the format, or has too many entries.
    """
    most = ModuleState(state_bytes=0)
    open_components = [_Open(reader)]
    while True:
        component = open_components[-1]
        if component.reader.is_at_end:
            open_components.pop()
            cost = component.cost()
            if not open_components:
                return _creation(cost, most)
            open_components[-1].components.append(cost)
            continue
        number, contents = component.reader.section()
        if number == CORE_MODULES:
            contents.skip(HEADER_BYTES)
            module = module_state(contents)
            most = ModuleState(*map(max, most, module))
            component.modules.append(module)
        elif number == COMPONENTS:
            contents.skip(HEADER_BYTES)
            open_components.append(_Open(contents))
        elif number == _CANONICAL:
            component.state_bytes += _CANONICAL_BYTES * contents.number()
        else:
            tell(number, contents, open_components)


def _creation(cost: _Cost, most: ModuleState) -> Creation:
    """The cost of a component as a whole. `most` has the largest numbers of any of its modules."""
    known = (cost.tables, cost.memories, cost.state_bytes)
    sums = (each + cost.unknown * largest for each, largest in zip(known, most, strict=True))
    return Creation(cost.instances, *(min(each, ENDLESS) for each in sums))
