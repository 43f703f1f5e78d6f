"""What a capsule imports that atectl does not provide, and what functions it exports.

Wasmtime aborts the process when it is asked for a core function type that has a vector or a typed
reference. So it is never asked. Where a type is to be shown, it is taken from the message with
which the engine refuses a function of another type.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from atectl.capsule.artifact_file import Engine
from atectl.capsule.entry_point import MOST_LOOKED_AT, Exported
from atectl.errors import MissingImport

if TYPE_CHECKING:
    import wasmtime

    from atectl.capsule.artifact_file import Code
    from atectl.engine.kind import Kind


class LinkingEngine(Engine, Protocol):
    """An engine that can say what it provides."""

    def module_linker(self) -> "wasmtime.Linker": ...

    def component_linker(self) -> Any: ...


class Linkable(Protocol):
    """Compiled code that is to be linked: a capsule."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def kind(self) -> "Kind": ...

    @property
    def code(self) -> "Code": ...


class NamedCode(NamedTuple):
    """Compiled code that has not become a capsule yet."""

    name: str
    kind: "Kind"
    code: "Code"


class MissingImportNote(NamedTuple):
    """One import that cannot be met."""

    name: str
    """`MODULE::NAME` for a core module, the import's name for a component."""
    kind: str
    """`function`, `memory`, `instance` …"""
    reason: str
    """Why it is not met, as the end of a sentence about it."""
    remedy: str
    """What to do; may be empty."""


NOT_PROVIDED = "which atectl does not provide"
_MOST_NAMED = 5
_MOST_SHOWN = 200

_REMEDIES = [
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (
            r"wasi_unstable::",
            "that is WASI as it was before preview 1: build the capsule with a current toolchain "
            "for wasm32-wasip1",
        ),
        (
            r"wasi_snapshot_preview1::",
            "WASI preview 1 has no such function: build the capsule with a toolchain for "
            "wasm32-wasip1",
        ),
        (
            r"wasi::thread|wasi:thread",
            "that is WASI threads, and a capsule has one thread: build it without threads",
        ),
        (
            r"wasi:(http|tls)/",
            "capsules have no network: a host that serves WASI HTTP would provide it",
        ),
        (
            r"wasi:.*@0\.[3-9]",
            "that is a later WASI than 0.2: build the capsule for WASI 0.2 (wasm32-wasip2)",
        ),
        (
            r"wasi:",
            "WASI 0.2 as atectl provides it has no such interface: build the capsule for "
            "wasm32-wasip2",
        ),
        (
            r"wbg::|__wbindgen|\./.*_bg\.js::",
            "JavaScript made by wasm-bindgen would provide it: build the capsule without it, for "
            "wasm32-wasip1",
        ),
        (
            r"(gojs|go)::",
            "Go's JavaScript runtime would provide it: build the capsule with GOOS=wasip1",
        ),
        (
            r"env::_?(emscripten_|invoke_|__syscall|__cxa_|asm_const)|a::|GOT\.",
            "JavaScript made by Emscripten would provide it: build the capsule with "
            "-sSTANDALONE_WASM, or with wasi-sdk",
        ),
        (
            r"env::",
            "the host program that it was written for would provide it, or JavaScript made by its "
            "toolchain: build the capsule for WASI (wasm32-wasip1)",
        ),
    )
]
WASI_REMEDY = "build the capsule with a toolchain for wasm32-wasip1"
_OTHER_REMEDY = (
    "the host program that it was written for would provide it: build the capsule for WASI "
    "(wasm32-wasip1 or wasm32-wasip2)"
)
THREADS_REMEDY = "a capsule has one thread: build it without threads and shared memory"


def require_imports(engine: LinkingEngine, capsule: Linkable) -> None:
    """Check that every import can be met. Nothing of the capsule runs.

    Raises:
        MissingImport: one cannot. The message has the first, its type, and what would provide it
            (exit 126).
    """
    missing = missing_imports(engine, capsule)
    if not missing:
        return
    first = missing[0]
    kind = first.kind
    if kind == "function" and first.reason == NOT_PROVIDED:
        kind = _function_type(engine, capsule.code, first.name) or kind
    article = "an" if kind[0] in "aeiou" else "a"
    message = f"{capsule.name} imports {_cut(first.name)}, {article} {kind}, {first.reason}"
    if len(missing) > 1:
        also = [_cut(note.name) for note in missing[1 : 1 + _MOST_NAMED]]
        more = (
            "" if len(missing) <= 1 + _MOST_NAMED else f" and {len(missing) - 1 - len(also)} more"
        )
        message += f"; also missing: {', '.join(also)}{more}"
    raise MissingImport(message, remedy=first.remedy)


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}…"


def missing_imports(engine: LinkingEngine, capsule: Linkable) -> list[MissingImportNote]:
    """The imports that cannot be met; for a component only the first. Nothing of it runs."""
    if capsule.kind == "component":
        return _missing_of_component(engine, capsule.code)
    mistyped = _mistyped(engine, capsule.code)
    if mistyped is None:
        return []
    return [_note(import_) for import_ in _absent(engine, capsule.code)] or mistyped


def functions_of_component(engine: Engine, component: Any) -> Exported:
    """The functions that a component exports, and the interfaces that it exports."""
    return _first(_functions_of(engine, component.type))


def functions_of_instance(store: "wasmtime.Store", instance: Any) -> Exported:
    """The functions that an instance of a core module exports."""
    from atectl.engine.bindings import exports_of_instance

    exports = exports_of_instance(store, instance)
    return _first(name if is_function else "" for name, is_function in exports)


def _first(found: Iterator[str]) -> Exported:
    """The first of them. The engine takes the longer to tell the next one the more it has told."""
    looked_at = list(islice(found, MOST_LOOKED_AT))
    are_all = next(found, None) is None
    return Exported([name for name in looked_at if name], are_all)


def _functions_of(engine: Engine, owner: Any, prefix: str = "") -> Iterator[str]:
    """The name of each export of a component that is a function, and an empty one for any other.

    The same of the instance in it whose name is in `prefix`.
    """
    from wasmtime.component import ComponentInstanceType, FuncType

    from atectl.engine.bindings import exports_of_component

    for name, type_ in exports_of_component(engine.native, owner):
        yield prefix + name if isinstance(type_, FuncType) else ""
        if isinstance(type_, ComponentInstanceType) and not prefix:
            yield from _functions_of(engine, type_, f"{name}#")


def _absent(engine: LinkingEngine, module: Any) -> "list[wasmtime.ImportType]":
    from wasmtime import Store, WasmtimeError

    linker, store = engine.module_linker(), Store(engine.native)
    found = []
    for import_ in module.imports:
        try:
            linker.get(store, import_.module, import_.name)
        except WasmtimeError:
            found.append(import_)
    store.close()
    return found


def _note(import_: "wasmtime.ImportType") -> MissingImportNote:
    from wasmtime import MemoryType

    name = f"{import_.module}::{import_.name}"
    kind = _kind(import_)
    if isinstance(import_.type, MemoryType) and import_.type.is_shared:
        return MissingImportNote(name, "shared memory", NOT_PROVIDED, THREADS_REMEDY)
    return MissingImportNote(name, kind, NOT_PROVIDED, remedy_for(name))


def _kind(import_: "wasmtime.ImportType") -> str:
    word = type(import_.type).__name__.removesuffix("Type").lower()
    return "function" if word == "func" else word


def remedy_for(name: str) -> str:
    for pattern, remedy in _REMEDIES:
        if pattern.match(name):
            return remedy
    return _OTHER_REMEDY


_MISTYPED = re.compile(r"incompatible import type for `(?s:(.*?))`\n(?:.*\n)*\s*(.+)")


def _mistyped(engine: LinkingEngine, module: Any) -> list[MissingImportNote] | None:
    """The first import that is provided, but with another type; None if all are met."""
    from wasmtime import WasmtimeError

    try:
        engine.module_linker().instantiate_pre(module)
    except WasmtimeError as error:
        match = _MISTYPED.match(str(error))
        if match:
            name, detail = match.groups()
            kinds = {f"{each.module}::{each.name}": _kind(each) for each in module.imports}
            detail = detail.removeprefix("types incompatible: ")
            reason = f"which atectl provides with another type: {detail}"
            return [MissingImportNote(name, kinds.get(name, "import"), reason, WASI_REMEDY)]
        return []
    return None


_WANTED = re.compile(r"expected type `\(func ?(.*?)\)`, found")


def _function_type(engine: LinkingEngine, module: Any, name: str) -> str | None:
    """The type of the function imported as `name`, such as `function (param i32)`, if known."""
    from wasmtime import FuncType, ValType, WasmtimeError

    linker = engine.module_linker()
    unlikely = FuncType([ValType.f32(), ValType.i64(), ValType.f64()], [ValType.f32()])
    wanted = next(each for each in module.imports if f"{each.module}::{each.name}" == name)
    try:
        linker.define_unknown_imports_as_traps(module)
        linker.define_func(wanted.module, wanted.name or "", unlikely, lambda *_: 0.0)
        linker.instantiate_pre(module)
    except WasmtimeError as error:
        match = _WANTED.search(str(error))
        return f"function {match[1]}".rstrip() if match else None
    return None


_MISSING_OF_COMPONENT = re.compile(r"component imports ([a-z ]+) `(.*?)`, but .*")
_CAUSE = re.compile(r"^    (?:\d+: )?(.+)", re.MULTILINE)


def _missing_of_component(engine: LinkingEngine, component: Any) -> list[MissingImportNote]:
    from wasmtime import Store, WasmtimeError

    store = Store(engine.native)
    # Imports are resolved first; then the first instance is refused, and so nothing runs.
    store.set_limits(instances=0)
    try:
        engine.component_linker().instantiate(store, component)
    except WasmtimeError as error:
        match = _MISSING_OF_COMPONENT.match(str(error))
        if match:
            kind, name = match.groups()
            reason = ": ".join([NOT_PROVIDED, *_CAUSE.findall(str(error))])
            return [MissingImportNote(name, kind, reason, remedy_for(name))]
    finally:
        store.close()
    return []
