"""Finding what to call in a capsule, and calling it; if it is missing, saying what there is."""

import re
from typing import Any

from wasmtime import Func, WasmtimeError  # noqa: TID253

from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.bindings import call_without_values, exported_function
from atectl.engine.metered import Engine
from atectl.lease.outcome import Outcome, exited
from atectl.lease.started import Started, unknown_export

_OF_ANOTHER_TYPE = r"expected (\d+) (argument|result)s?, got 0"
"""What the engine says, before anything runs, if a function is called without its arguments."""


def find(engine: Engine, capsule: MappedCapsule, invoke: str | None) -> Any:
    """Find what to call in a component, before anything of it runs. Returns None for a module.

    Raises:
        NoEntryPoint: it is not a command, or one of a kind that cannot be run (exit 126).
        UnknownExport: there is no export `invoke` (exit 2).
        NotInvokable: that export is async (exit 2).
    """
    if capsule.kind == "module":
        return None
    # Most capsules are modules, and should not pay for this import.
    from atectl.lease.component_entry import command, invoked

    if invoke is None:
        return command(engine, capsule)
    return invoked(engine, capsule, invoke)


def call(started: Started, entry: Any, invoke: str | None, words: list[str]) -> Outcome:
    """Run the capsule's entry point, or its export `invoke` with `words` as typed arguments.

    A reactor is initialised if it is fresh.

    Args:
        entry: what `find` found.

    Raises:
        NoEntryPoint: the capsule is no command and nothing is to be invoked, or its entry point
            takes or returns something (exit 126).
        UnknownExport: there is no such function (exit 2).
        BadInvokeArgument: the words do not fit the parameters of the export (exit 2).
    """
    if started.capsule.kind == "component":
        from atectl.lease.component_entry import call_command, call_invoked

        if invoke is None:
            return call_command(started, entry)
        return call_invoked(started, entry, words)
    if invoke is not None:
        return _invoke(started, invoke, words)
    start = exported_function(started.store, started.instance, "_start")
    if start is not None:
        _call_plain(started, start, "_start")
    elif not started.capsule.has_start:  # a start function has run by now, and was all there is
        from atectl.capsule.entry_point import START, no_entry_point
        from atectl.capsule.interface import functions_of_instance

        functions = functions_of_instance(started.store, started.instance)
        raise no_entry_point(started.capsule.name, START, functions)
    return exited(0)


def _invoke(started: Started, name: str, words: list[str]) -> Outcome:
    from atectl.lease.invoke.words import module_arguments, module_results, module_type

    function = exported_function(started.store, started.instance, name)
    if function is None:
        from atectl.capsule.interface import functions_of_instance

        functions = functions_of_instance(started.store, started.instance)
        raise unknown_export(started.capsule, name, functions)
    type_ = module_type(started.engine.native, started.store, function)
    arguments = module_arguments(type_, words)
    if started.is_fresh and name != "_initialize":
        initialize = exported_function(started.store, started.instance, "_initialize")
        if initialize is not None:
            _call_plain(started, initialize, "_initialize")
    value = function(started.store, *arguments)
    return exited(0, tuple(module_results(type_, value)))


def _call_plain(started: Started, function: Func, name: str) -> None:
    """Call an entry point, which must have no parameters and no results."""
    try:
        call_without_values(started.store, function)
    except WasmtimeError as error:
        found = re.fullmatch(_OF_ANOTHER_TYPE, str(error))
        if found is None:
            raise
        from atectl.capsule.entry_point import not_plain

        raise not_plain(started.capsule.name, name, takes=found[2] == "argument") from None
