"""An instance that is ready to be called, and the errors if it lacks what should be called."""

from typing import Any, NamedTuple

from wasmtime import Store  # noqa: TID253

from atectl.capsule.loading import Capsule
from atectl.engine.metered import Engine
from atectl.errors import NoEntryPoint, UnknownExport

_MOST_OFFERED, _MOST_OFFERED_CHARACTERS = 20, 1000


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
    shown: list[str] = []
    left = _MOST_OFFERED_CHARACTERS
    for name in names[:_MOST_OFFERED]:
        left -= len(name)
        if left < 0 and shown:
            break
        shown.append(name)
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more or "no functions"
