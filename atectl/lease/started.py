"""An instance that is ready to be called, and the errors if it lacks what should be called."""

from typing import Any, NamedTuple

from wasmtime import Store  # noqa: TID253

from atectl.capsule.loading import Capsule
from atectl.engine.metered import Engine
from atectl.errors import NoEntryPoint, UnknownExport

_MOST_OFFERED = 20


class Started(NamedTuple):
    """An instance of a capsule in its store. It `is_fresh` if it was not called before."""

    engine: Engine
    capsule: Capsule
    store: Store
    instance: Any
    is_fresh: bool


def unknown_export(engine: Engine, capsule: Capsule, name: str) -> UnknownExport:
    return UnknownExport(
        f"{capsule.name} exports no function {name!r}; it exports {_offered(engine, capsule)}"
    )


def no_entry_point(engine: Engine, capsule: Capsule, wanted: str) -> NoEntryPoint:
    return NoEntryPoint(
        f"{capsule.name} has no {wanted} to run; it exports {_offered(engine, capsule)}"
    )


def _offered(engine: Engine, capsule: Capsule) -> str:
    from atectl.capsule.interface import exported_functions

    names = exported_functions(engine, capsule)
    more = f" and {len(names) - _MOST_OFFERED} more" if len(names) > _MOST_OFFERED else ""
    return ", ".join(names[:_MOST_OFFERED]) + more or "no functions"
