"""How many instances a component makes, counted without making any.

A component can instantiate another twice, which does the same, and so on. With a few bytes for
each level that is more instances than could ever be made, and the engine would lay out each.
Here they are only counted, by multiplication. The format is the component model's binary format.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader

ENDLESS = 1 << 32
"""The upper bound of all counts."""

_CORE_MODULE, _CORE_INSTANCES, _COMPONENT, _INSTANCES = 1, 2, 4, 5
_ALIASES, _IMPORTS, _EXPORTS = 6, 10, 11
_TABLES_OF_A_MODULE = 4
_CORE_SORT, _COMPONENT_SORT, _TYPE_SORT = 0, 4, 3
_OF_INSTANCE, _OF_CORE_INSTANCE, _OF_OUTER = 0, 1, 2


class Composition(NamedTuple):
    """What one instantiation of a component makes at most; `ENDLESS` stands for that or more."""

    core_instances: int
    instances: int
    """Instances of core modules and of components together."""
    most_tables: int
    """The highest number of tables in one of its core modules."""


class _Cost(NamedTuple):
    """What one instantiation of a component makes, apart from what its arguments make.

    `per_argument` is how often it instantiates a component that it gets as an argument. One that
    `is_given` is such an argument.
    """

    core_instances: int = 0
    instances: int = 0
    per_argument: int = 0
    is_given: bool = False


_GIVEN = _Cost(0, 0, 1, True)
_UNKNOWN = _Cost(ENDLESS, ENDLESS, 0)
"""The cost of a component that an instance exports. Its parts are not tracked, so it is endless."""


class _Open:
    """A component that is still being read, with the components that it can refer to."""

    __slots__ = ("components", "core_instances", "instances", "per_argument", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.components: list[_Cost] = []
        self.core_instances = self.instances = self.per_argument = 0

    def add(self, cost: _Cost, arguments: list[_Cost]) -> None:
        """Count one instantiation of a component with these components as arguments."""
        if cost.is_given and arguments:
            cost = _UNKNOWN
        most = _Cost(*(max(column) for column in zip(_Cost(), *arguments, strict=True)))
        made = cost.per_argument
        self.core_instances += cost.core_instances + made * most.core_instances
        self.instances += 1 + cost.instances + made * most.instances
        self.per_argument += made if cost.is_given else made * most.per_argument

    def cost(self) -> _Cost:
        return _Cost(
            min(self.core_instances, ENDLESS),
            min(self.instances, ENDLESS),
            min(self.per_argument, ENDLESS),
        )


def composition(reader: Reader) -> Composition:
    """Count what a component makes. `reader` is at its first section.

    Raises:
        MalformedBinary: it does not follow the format, or has too many entries.
    """
    most_tables = 0
    open_components = [_Open(reader)]
    while True:
        component = open_components[-1]
        if component.reader.is_at_end:
            open_components.pop()
            cost = component.cost()
            if not open_components:
                return Composition(cost.core_instances, cost.instances, most_tables)
            open_components[-1].components.append(cost)
            continue
        number, contents = component.reader.section()
        if number == _CORE_MODULE:
            most_tables = max(most_tables, _tables(contents))
        elif number == _COMPONENT:
            contents.skip(HEADER_BYTES)
            open_components.append(_Open(contents))
        elif number in _WALKS:
            for _ in range(contents.number()):
                contents.count_item()
                _WALKS[number](contents, open_components)


def _tables(module: Reader) -> int:
    """How many tables a core module defines."""
    module.skip(HEADER_BYTES)
    while not module.is_at_end:
        number, contents = module.section()
        if number == _TABLES_OF_A_MODULE:
            return contents.number()
    return 0


def _core_instance(contents: Reader, open_components: list[_Open]) -> None:
    if contents.byte() == 0:
        component = open_components[-1]
        component.core_instances += 1
        component.instances += 1
        contents.number()
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
    sort, target = _sort(contents), contents.byte()
    if target in (_OF_INSTANCE, _OF_CORE_INSTANCE):
        contents.number()
        _skip_name(contents)
        cost = _UNKNOWN
    elif target == _OF_OUTER:
        levels, index = contents.number(), contents.number()
        if sort != _COMPONENT_SORT:
            return
        if levels >= len(open_components):
            raise MalformedBinary("an alias leads out of the outermost component")
        cost = _named(open_components[-1 - levels], index)
    else:
        raise MalformedBinary(f"an alias of an unknown kind: {target}")
    if sort == _COMPONENT_SORT:
        open_components[-1].components.append(cost)


def _import(contents: Reader, open_components: list[_Open]) -> None:
    contents.byte()
    _skip_name(contents)
    if _skip_type(contents) == _COMPONENT_SORT:
        open_components[-1].components.append(_GIVEN)


def _export(contents: Reader, open_components: list[_Open]) -> None:
    component = open_components[-1]
    contents.byte()
    _skip_name(contents)
    sort, index = _sort(contents), contents.number()
    if contents.byte():
        _skip_type(contents)
    if sort == _COMPONENT_SORT:
        component.components.append(_named(component, index))


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
    """Read a sort. All sorts of core WebAssembly are `_CORE_SORT`."""
    sort = contents.byte()
    if sort == _CORE_SORT:
        contents.byte()
    return sort


def _skip_type(contents: Reader) -> int:
    """Skip the type of an import or export. Returns its sort."""
    sort = contents.byte()
    bound = contents.byte() if sort in (_CORE_SORT, _TYPE_SORT) else 0
    if sort != _TYPE_SORT or bound == 0:
        contents.number()
    return sort


def _named(component: _Open, index: int) -> _Cost:
    """The cost of the component with this index."""
    if index >= len(component.components):
        raise MalformedBinary(f"there is no component {index}")
    return component.components[index]
