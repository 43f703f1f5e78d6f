"""What a component instantiates, in the order of its sections, told to whoever keeps count of it.

Only what says which core module or component is meant is read: definitions, imports, aliases and
exports of these two. The format is the component model's binary format.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from atectl.capsule.binary import MalformedBinary, Reader

CORE_MODULES, COMPONENTS = 1, 4
"""The sections that hold one core module or one component."""

_CORE_INSTANCES, _INSTANCES, _ALIASES, _IMPORTS, _EXPORTS = 2, 5, 6, 10, 11

COMPONENT, CORE_MODULE = 4, -1
"""The sorts that can be instantiated. A binary has two bytes for the second."""

_CORE_SORT, _TYPE_SORT = 0, 3
_MODULE_OF_CORE = 0x11
_OF_INSTANCE, _OF_CORE_INSTANCE, _OF_OUTER = 0, 1, 2


class OpenComponent(Protocol):
    """A component that is being read. What is named is of any sort, of which most do not matter."""

    def instantiate_module(self, index: int) -> None:
        """It instantiates its core module with this index."""

    def instantiate(self, index: int, arguments: list[int]) -> None:
        """It instantiates its component with this index, and passes these of its components."""

    def name_import(self, sort: int) -> None:
        """The next index of this sort is what it imports."""

    def name_export(self, sort: int) -> None:
        """The next index of this sort is what one of its instances exports."""

    def name_again(self, sort: int, owner: Any, index: int) -> None:
        """The next index of this sort is what `owner`, itself or one around it, has at `index`."""


def tell(number: int, contents: Reader, opened: Sequence[OpenComponent]) -> None:
    """Tell the innermost component what is in one of its sections.

    Args:
        number: of the section.
        opened: the components that are being read, the innermost last.

    Raises:
        MalformedBinary: it does not follow the format.
    """
    read = _READ.get(number)
    if read is None:
        return
    for _ in range(contents.number()):
        contents.count_item()
        read(contents, opened)


def _core_instance(contents: Reader, opened: Sequence[OpenComponent]) -> None:
    if contents.byte() == 0:
        opened[-1].instantiate_module(contents.number())
    for _ in range(contents.number()):
        contents.count_item()
        _skip_name(contents)
        contents.byte()
        contents.number()


def _instance(contents: Reader, opened: Sequence[OpenComponent]) -> None:
    if contents.byte() != 0:
        _references(contents, has_decorated_names=True)
        return
    index = contents.number()
    opened[-1].instantiate(index, _references(contents, has_decorated_names=False))


def _references(contents: Reader, *, has_decorated_names: bool) -> list[int]:
    """Skip named references. Returns the indices of the components among them."""
    found = []
    for _ in range(contents.number()):
        contents.count_item()
        if has_decorated_names:
            contents.byte()
        _skip_name(contents)
        sort, index = _sort(contents), contents.number()
        if sort == COMPONENT:
            found.append(index)
    return found


def _alias(contents: Reader, opened: Sequence[OpenComponent]) -> None:
    component, sort, target = opened[-1], _sort(contents), contents.byte()
    if target in (_OF_INSTANCE, _OF_CORE_INSTANCE):
        contents.number()
        _skip_name(contents)
        component.name_export(sort)
    elif target == _OF_OUTER:
        levels, index = contents.number(), contents.number()
        if sort not in (COMPONENT, CORE_MODULE):
            return
        if levels >= len(opened):
            raise MalformedBinary("an alias leads out of the outermost component")
        component.name_again(sort, opened[-1 - levels], index)
    else:
        raise MalformedBinary(f"an alias of an unknown kind: {target}")


def _import(contents: Reader, opened: Sequence[OpenComponent]) -> None:
    contents.byte()
    _skip_name(contents)
    opened[-1].name_import(_skip_type(contents))


def _export(contents: Reader, opened: Sequence[OpenComponent]) -> None:
    component = opened[-1]
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


_READ: dict[int, Callable[[Reader, Sequence[OpenComponent]], None]] = {
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
        return CORE_MODULE
    return sort


def _skip_type(contents: Reader) -> int:
    """Skip the type of an import or export. Returns its sort."""
    sort = contents.byte()
    bound = contents.byte() if sort in (_CORE_SORT, _TYPE_SORT) else 0
    if sort != _TYPE_SORT or bound == 0:
        contents.number()
    # Of the core only modules are imported or exported.
    return CORE_MODULE if sort == _CORE_SORT else sort
