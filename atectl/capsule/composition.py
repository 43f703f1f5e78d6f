"""What a component creates, counted without creating any of it.

A component can instantiate another twice, which does the same, and so on. With a few bytes for
each level that is more instances than could ever be made, and the engine would lay out each.
Here they are only counted, by multiplication. The format is the component model's binary format.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.capsule.creation import Creation
from atectl.capsule.module_state import ModuleState, module_state

ENDLESS = 1 << 62
"""The upper bound of all counts."""

_CORE_MODULE, _CORE_INSTANCES, _COMPONENT, _INSTANCES = 1, 2, 4, 5
_ALIASES, _CANONICAL, _IMPORTS, _EXPORTS = 6, 8, 10, 11
_CORE_SORT, _COMPONENT_SORT, _TYPE_SORT = 0, 4, 3
_MODULE_OF_CORE = 0x11
_CORE_MODULE_SORT = -1
"""Stands for the two bytes that a binary has for this sort."""
_OF_INSTANCE, _OF_CORE_INSTANCE, _OF_OUTER = 0, 1, 2


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

    def add_module(self, index: int) -> None:
        """Count one instantiation of a core module."""
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

    def name(self, sort: int, cost: _Cost) -> None:
        """Add a component of this cost, or a core module that is not known, to its indices."""
        if sort == _COMPONENT_SORT:
            self.components.append(cost)
        elif sort == _CORE_MODULE_SORT:
            self.modules.append(None)

    def name_again(self, sort: int, owner: "_Open", index: int) -> None:
        """Add the component or core module that `owner` has at this index to its indices."""
        if sort == _COMPONENT_SORT:
            self.components.append(_named(owner, index))
        elif sort == _CORE_MODULE_SORT:
            self.modules.append(owner.modules[index] if index < len(owner.modules) else None)

    def add(self, cost: _Cost, arguments: list[_Cost]) -> None:
        """Count one instantiation of a component with these components as arguments."""
        if cost.is_given and arguments:
            cost = _UNKNOWN
        most = _Cost(*(max(column) for column in zip(_Cost(), *arguments, strict=True)))
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
        if number == _CORE_MODULE:
            contents.skip(HEADER_BYTES)
            module = module_state(contents)
            most = ModuleState(*map(max, most, module))
            component.modules.append(module)
        elif number == _COMPONENT:
            contents.skip(HEADER_BYTES)
            open_components.append(_Open(contents))
        elif number == _CANONICAL:
            component.state_bytes += _CANONICAL_BYTES * contents.number()
        elif number in _WALKS:
            for _ in range(contents.number()):
                contents.count_item()
                _WALKS[number](contents, open_components)


def _creation(cost: _Cost, most: ModuleState) -> Creation:
    """The cost of a component as a whole. `most` has the largest numbers of any of its modules."""
    known = (cost.tables, cost.memories, cost.state_bytes)
    sums = (each + cost.unknown * largest for each, largest in zip(known, most, strict=True))
    return Creation(cost.instances, *(min(each, ENDLESS) for each in sums))


def _core_instance(contents: Reader, open_components: list[_Open]) -> None:
    if contents.byte() == 0:
        open_components[-1].add_module(contents.number())
    for _ in range(contents.number()):
        contents.count_item()
        _skip_name(contents)
        contents.byte()
        contents.number()


def _instance(contents: Reader, open_components: list[_Open]) -> None:
    component = open_components[-1]
    is_made = contents.byte() == 0
    if not is_made:
        _references(contents, component, has_decorated_names=True)
        return
    cost = _named(component, contents.number())
    component.add(cost, _references(contents, component, has_decorated_names=False))


def _references(contents: Reader, component: _Open, *, has_decorated_names: bool) -> list[_Cost]:
    """Skip named references. Returns the costs of the components among them."""
    found = []
    for _ in range(contents.number()):
        contents.count_item()
        if has_decorated_names:
            contents.byte()
        _skip_name(contents)
        sort, index = _sort(contents), contents.number()
        if sort == _COMPONENT_SORT:
            found.append(_named(component, index))
    return found


def _alias(contents: Reader, open_components: list[_Open]) -> None:
    component, sort, target = open_components[-1], _sort(contents), contents.byte()
    if target in (_OF_INSTANCE, _OF_CORE_INSTANCE):
        contents.number()
        _skip_name(contents)
        component.name(sort, _UNKNOWN)
    elif target == _OF_OUTER:
        levels, index = contents.number(), contents.number()
        if sort not in (_COMPONENT_SORT, _CORE_MODULE_SORT):
            return
        if levels >= len(open_components):
            raise MalformedBinary("an alias leads out of the outermost component")
        component.name_again(sort, open_components[-1 - levels], index)
    else:
        raise MalformedBinary(f"an alias of an unknown kind: {target}")


def _import(contents: Reader, open_components: list[_Open]) -> None:
    contents.byte()
    _skip_name(contents)
    open_components[-1].name(_skip_type(contents), _GIVEN)


def _export(contents: Reader, open_components: list[_Open]) -> None:
    component = open_components[-1]
    contents.byte()
    _skip_name(contents)
    sort, index = _sort(contents), contents.number()
    if contents.byte():
        _skip_type(contents)
    component.name_again(sort, component, index)


def pass_export(contents: Reader) -> str:
    """Pass over one export of a component; its name."""
    contents.byte()
    name = contents.name()
    _sort(contents)
    contents.number()
    if contents.byte():
        _skip_type(contents)
    return name


_WALKS = {
    _CORE_INSTANCES: _core_instance,
    _INSTANCES: _instance,
    _ALIASES: _alias,
    _IMPORTS: _import,
    _EXPORTS: _export,
}


def _skip_name(contents: Reader) -> None:
    contents.skip(contents.number())


def _sort(contents: Reader) -> int:
    """Read a sort. All sorts of core WebAssembly but modules are `_CORE_SORT`."""
    sort = contents.byte()
    if sort == _CORE_SORT and contents.byte() == _MODULE_OF_CORE:
        return _CORE_MODULE_SORT
    return sort


def _skip_type(contents: Reader) -> int:
    """Skip the type of an import or export. Returns its sort."""
    sort = contents.byte()
    bound = contents.byte() if sort in (_CORE_SORT, _TYPE_SORT) else 0
    if sort != _TYPE_SORT or bound == 0:
        contents.number()
    # Of the core only modules are imported or exported.
    return _CORE_MODULE_SORT if sort == _CORE_SORT else sort


def _named(component: _Open, index: int) -> _Cost:
    """The cost of the component with this index."""
    if index >= len(component.components):
        raise MalformedBinary(f"there is no component {index}")
    return component.components[index]
