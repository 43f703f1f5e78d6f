"""An instance that is ready to be called, and the errors if it lacks what should be called."""

from typing import TYPE_CHECKING, Any, NamedTuple

from wasmtime import Store  # noqa: TID253

from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.metered import Engine
from atectl.errors import UnknownExport

if TYPE_CHECKING:
    from atectl.capsule.entry_point import Exported


class Started(NamedTuple):
    """An instance of a capsule in its store. It `is_fresh` if it was not called before."""

    engine: Engine
    capsule: MappedCapsule
    store: Store
    instance: Any
    is_fresh: bool


def unknown_export(capsule: MappedCapsule, name: str, exported: "Exported") -> UnknownExport:
    from atectl.capsule.entry_point import listed

    offered = listed(exported)
    return UnknownExport(f"{capsule.name} exports no function {name!r}; it exports {offered}")
