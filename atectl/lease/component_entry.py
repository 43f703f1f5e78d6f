"""Finding and calling the entry point of a component: its command, or an export by name."""

from typing import Any

from atectl.capsule.entry_point import ASYNC, ASYNC_REMEDY, command_of
from atectl.capsule.interface import exported_functions
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.bindings import Oversized, call_component, is_async
from atectl.engine.metered import Engine
from atectl.errors import AtectlError, NoEntryPoint, NotInvokable
from atectl.lease.outcome import Outcome, exited
from atectl.lease.started import Started, unknown_export
from atectl.system.walls.amounts import (
    MAX_RESULT_PARTS,
    MAX_RESULT_TEXT_BYTES,
    PARTS_OF_OTHERS,
)


def command(engine: Engine, capsule: MappedCapsule) -> Any:
    """The index of the `run` of a WASI 0.2 command. Nothing of the component runs.

    Raises:
        NoEntryPoint: there is none, or it does not have the type of a command (exit 126).
    """
    component: Any = capsule.code
    exports = component.type.exports(engine.native)
    name = command_of(capsule.name, exports, lambda: exported_functions(engine, capsule))
    _require_run(engine, capsule, name, exports[name])
    return component.get_export_index("run", component.get_export_index(name))


def _require_run(engine: Engine, capsule: MappedCapsule, name: str, extern: Any) -> None:
    """Check that the interface has a `run` that takes nothing and returns a bare result."""
    from wasmtime.component import ComponentInstanceType, FuncType, ResultType

    interface = _type_of(extern)
    functions = (
        interface.exports(engine.native) if isinstance(interface, ComponentInstanceType) else {}
    )
    run = _type_of(functions["run"]) if "run" in functions else None
    if not isinstance(run, FuncType):
        raise NoEntryPoint(f"{capsule.name} exports {name}, which has no function run")
    if is_async(run):
        raise NoEntryPoint(f"{capsule.name}: the run of {name} {ASYNC}", remedy=ASYNC_REMEDY)
    result = run.result
    is_bare = isinstance(result, ResultType) and result.ok is None and result.err is None
    if run.params or not is_bare:
        raise NoEntryPoint(
            f"{capsule.name}: the run of {name} is not of the type that a command has, which is "
            "func() -> result"
        )


def invoked(engine: Engine, capsule: MappedCapsule, name: str) -> Any:
    """The index of the export `name`, or `INTERFACE#NAME`. Nothing of the component runs.

    Raises:
        UnknownExport: there is no such function (exit 2).
        NotInvokable: it is async (exit 2).
    """
    from wasmtime.component import ComponentInstanceType, FuncType

    component: Any = capsule.code
    interface, separator, function_name = name.rpartition("#")
    owner, index, items = None, None, component.type.exports(engine.native)
    if separator:
        found = _type_of(items[interface]) if interface in items else None
        items = found.exports(engine.native) if isinstance(found, ComponentInstanceType) else {}
        owner = component.get_export_index(interface)
    type_ = _type_of(items[function_name]) if function_name in items else None
    if isinstance(type_, FuncType):
        index = component.get_export_index(function_name, owner)
    if index is None:
        raise unknown_export(engine, capsule, name)
    if is_async(type_):
        raise NotInvokable(f"{name} {ASYNC}", remedy=ASYNC_REMEDY)
    return index


def call_command(started: Started, index: Any) -> Outcome:
    """Run the command; a `run` that returns an error ends with 1."""
    result = started.instance.get_func(started.store, index)(started.store)
    return exited(int(result.tag == "err"))


def call_invoked(started: Started, index: Any, words: list[str]) -> Outcome:
    """Call the function with typed arguments.

    Raises:
        BadInvokeArgument, NotInvokable: the words do not fit its parameters (exit 2).
        ResultOverLimit: it returned more than a result may have (exit 137).
    """
    from atectl.lease.invoke.words import component_arguments, component_results

    function = started.instance.get_func(started.store, index)
    type_ = function.type(started.store)
    arguments = component_arguments(type_, words)
    try:
        value = call_component(
            started.store, function, arguments, MAX_RESULT_PARTS, MAX_RESULT_TEXT_BYTES
        )
    except Oversized:
        raise _over_limit() from None
    return exited(0, tuple(component_results(type_, value)))


def _over_limit() -> AtectlError:
    from atectl.system.walls.errors import ResultOverLimit
    from atectl.units import format_size

    return ResultOverLimit(
        f"the export returned more than {format_size(MAX_RESULT_TEXT_BYTES)} of text, or than "
        f"{MAX_RESULT_PARTS:,} numbers or {MAX_RESULT_PARTS // PARTS_OF_OTHERS:,} other parts"
    )


def _type_of(extern: Any) -> Any:
    try:
        return extern.ty
    except TypeError:  # a kind of type that wasmtime's Python package does not know
        return None
