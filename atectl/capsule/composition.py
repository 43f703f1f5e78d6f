"""How many instances a component makes, counted without making any.

A component that instantiates another twice, which does the same, and so on, comes to more
instances than could ever be made, from a few bytes a level; the engine would lay out each.
Here only products are formed. The format is that of the component model's binary.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader

ENDLESS = 1 << 32
"""Where counting ends."""

_CORE_MODULE, _CORE_INSTANCES, _COMPONENT, _INSTANCES = 1, 2, 4, 5
_ALIASES, _IMPORTS, _EXPORTS = 6, 10, 11
_TABLES_OF_A_MODULE = 4
_CORE_SORT, _COMPONENT_SORT, _TYPE_SORT = 0, 4, 3
_OF_INSTANCE, _OF_CORE_INSTANCE, _OF_OUTER = 0, 1, 2


class Composition(NamedTuple):
    """What one instantiation of a component makes at most; `ENDLESS` is that or more."""

    core_instances: int
    instances: int
    """Those of core modules and those of components together."""
    most_tables: int
    """How many tables the core module makes that makes most."""


class _Cost(NamedTuple):
    """What one instantiation of a component makes, apart from what its arguments make.

    `per_argument`: how often it instantiates a component that it is given. One that
    `is_given` is itself such a component.
    """

    core_instances: int = 0
    instances: int = 0
    per_argument: int = 0
    is_given: bool = False


_GIVEN = _Cost(0, 0, 1, True)
_UNKNOWN = _Cost(ENDLESS, ENDLESS, 0)
"""Of a component that an instance exports: to count it, what it was made of had to be followed."""


class _Open:
    """A component whose end the walk has not reached, with the components it can name."""

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
    """Count what the component makes whose sections `reader` is about to read.

    Raises:
        MalformedBinary: it does not follow the format, or has too many entries to be walked.
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
    """Pass over named references; what the components among them cost."""
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
    """A sort; of one of the core's, that it is one."""
    sort = contents.byte()
    if sort == _CORE_SORT:
        contents.byte()
    return sort


def _skip_type(contents: Reader) -> int:
    """Pass over the type of an import or export; its sort."""
    sort = contents.byte()
    bound = contents.byte() if sort in (_CORE_SORT, _TYPE_SORT) else 0
    if sort != _TYPE_SORT or bound == 0:
        contents.number()
    return sort


def _named(component: _Open, index: int) -> _Cost:
    """What the component costs that has this index."""
    if index >= len(component.components):
        raise MalformedBinary(f"there is no component {index}")
    return component.components[index]
