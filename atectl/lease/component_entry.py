"""Finding and calling the entry point of a component: its command, or an export by name."""

from itertools import islice
from typing import Any

from atectl.capsule.entry_point import (
    ASYNC,
    ASYNC_REMEDY,
    COMMANDS,
    MOST_LOOKED_AT,
    no_command,
)
from atectl.capsule.interface import functions_of_component
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.bindings import exported_type, exports_of_component, is_async
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
    type_ = component.type
    interfaces = ((each, exported_type(engine.native, type_, each)) for each in COMMANDS)
    name, interface = next((found for found in interfaces if found[1] is not None), ("", None))
    if interface is None:
        exports = islice(exports_of_component(engine.native, type_), MOST_LOOKED_AT)
        exported = functions_of_component(engine, component)
        raise no_command(capsule.name, (each for each, _ in exports), exported)
    _require_run(engine, capsule, name, interface)
    return component.get_export_index("run", component.get_export_index(name))


def _require_run(engine: Engine, capsule: MappedCapsule, name: str, interface: Any) -> None:
    """Check that the interface has a `run` that takes nothing and returns a bare result."""
    from wasmtime.component import FuncType, ResultType

    run = _exported_by(engine, interface, "run")
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


def _exported_by(engine: Engine, interface: Any, name: str) -> Any:
    """The type of what an interface of a component exports; None if it is none, or exports none."""
    from wasmtime.component import ComponentInstanceType

    if not isinstance(interface, ComponentInstanceType):
        return None
    return exported_type(engine.native, interface, name)


def invoked(engine: Engine, capsule: MappedCapsule, name: str) -> Any:
    """The index of the export `name`, or `INTERFACE#NAME`. Nothing of the component runs.

    Raises:
        UnknownExport: there is no such function (exit 2).
        NotInvokable: it is async (exit 2).
    """
    from wasmtime.component import FuncType

    component: Any = capsule.code
    interface, separator, function_name = name.rpartition("#")
    owner, index = None, None
    type_ = exported_type(engine.native, component.type, interface if separator else name)
    if separator:
        type_ = _exported_by(engine, type_, function_name)
        owner = component.get_export_index(interface)
    if isinstance(type_, FuncType):
        index = component.get_export_index(function_name, owner)
    if index is None:
        raise unknown_export(capsule, name, functions_of_component(engine, component))
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
    from atectl.engine.component_calls import Oversized, call_component
    from atectl.lease.invoke.words import component_arguments, component_results

    function = started.instance.get_func(started.store, index)
    arguments = component_arguments(function.type(started.store), words)
    try:
        value = call_component(
            started.store, function, arguments, MAX_RESULT_PARTS, MAX_RESULT_TEXT_BYTES
        )
    except Oversized:
        raise _over_limit() from None
    return exited(0, tuple(component_results(value)))


def _over_limit() -> AtectlError:
    from atectl.system.walls.errors import ResultOverLimit
    from atectl.units import format_size

    return ResultOverLimit(
        f"the export returned more than {format_size(MAX_RESULT_TEXT_BYTES)} of text, or than "
        f"{MAX_RESULT_PARTS:,} numbers or {MAX_RESULT_PARTS // PARTS_OF_OTHERS:,} other parts"
    )
