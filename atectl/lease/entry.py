"""Finding what to call in a capsule, and calling it; if it is missing, saying what there is."""

from typing import Any

from wasmtime import Func, Store  # noqa: TID253

from atectl.capsule.loading import Capsule
from atectl.engine.metered import Engine
from atectl.errors import NoEntryPoint, UnknownExport
from atectl.lease.outcome import Outcome, exited

_MOST_OFFERED = 20
COMMAND_INTERFACE = "wasi:cli/run@"


def call(
    engine: Engine,
    capsule: Capsule,
    store: Store,
    instance: Any,
    invoke: str | None,
    words: list[str],
    *,
    is_fresh: bool = True,
) -> Outcome:
    """Run the capsule's entry point, or its export `invoke` with `words` as typed arguments.

    A reactor is initialised first if its instance `is_fresh`.

    Raises:
        NoEntryPoint: the capsule is not a command, and `invoke` is None (exit 126).
        UnknownExport: there is no such function (exit 2).
        BadInvokeArgument: the words do not fit the parameters of the export (exit 2).
    """
    if capsule.kind == "component":
        if invoke is None:
            return _run_component(engine, capsule, store, instance)
        return _invoke_component(engine, capsule, store, instance, invoke, words)
    exports = instance.exports(store)
    if invoke is not None:
        return _invoke_module(engine, capsule, store, exports, invoke, words, is_fresh=is_fresh)
    start = exports.get("_start")
    if not isinstance(start, Func):
        raise _no_entry_point(engine, capsule, "_start")
    start(store)
    return exited(0)


def _invoke_module(
    engine: Engine,
    capsule: Capsule,
    store: Store,
    exports: Any,
    name: str,
    words: list[str],
    *,
    is_fresh: bool,
) -> Outcome:
    from atectl.invoke.words import module_arguments, module_results, module_type

    function = exports.get(name)
    if not isinstance(function, Func):
        raise _unknown_export(engine, capsule, name)
    type_ = module_type(engine.native, store, function)
    arguments = module_arguments(type_, words)
    initialize = exports.get("_initialize")
    if is_fresh and isinstance(initialize, Func) and name != "_initialize":
        initialize(store)
    value = function(store, *arguments)
    return exited(0, tuple(module_results(type_, value)))


def _run_component(engine: Engine, capsule: Capsule, store: Store, instance: Any) -> Outcome:
    component: Any = capsule.code
    for name in component.type.exports(engine.native):
        if name.startswith(COMMAND_INTERFACE):
            index = component.get_export_index("run", component.get_export_index(name))
            result = instance.get_func(store, index)(store)
            return exited(int(getattr(result, "tag", "ok") == "error"))
    raise _no_entry_point(engine, capsule, "wasi:cli/run")


def _invoke_component(
    engine: Engine, capsule: Capsule, store: Store, instance: Any, name: str, words: list[str]
) -> Outcome:
    from atectl.invoke.words import component_arguments, component_results

    component: Any = capsule.code
    interface, separator, function_name = name.rpartition("#")
    owner = component.get_export_index(interface) if separator else None
    index = (
        None if separator and owner is None else component.get_export_index(function_name, owner)
    )
    function = None if index is None else instance.get_func(store, index)
    if function is None:
        raise _unknown_export(engine, capsule, name)
    type_ = function.type(store)
    arguments = component_arguments(type_, words)
    value = function(store, *arguments)
    return exited(0, tuple(component_results(type_, value)))


def _unknown_export(engine: Engine, capsule: Capsule, name: str) -> UnknownExport:
    return UnknownExport(
        f"{capsule.name} exports no function {name!r}; it exports {_offered(engine, capsule)}"
    )


def _no_entry_point(engine: Engine, capsule: Capsule, wanted: str) -> NoEntryPoint:
    return NoEntryPoint(
        f"{capsule.name} has no {wanted} to run; it exports {_offered(engine, capsule)}"
    )


def _offered(engine: Engine, capsule: Capsule) -> str:
    from atectl.capsule.interface import exported_functions

    names = exported_functions(engine, capsule)
    more = f" and {len(names) - _MOST_OFFERED} more" if len(names) > _MOST_OFFERED else ""
    return ", ".join(names[:_MOST_OFFERED]) + more or "no functions"
