"""From a file's content to compiled code: the checks come first, the cheapest before the others.

Only to be used in a process whose memory and time are limited: see `atectl.capsule.compile_child`.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from wasmtime import Module, WasmtimeError  # noqa: TID253

from atectl.capsule.binary import MAGIC, MalformedBinary
from atectl.capsule.entry_point import require_entry_point
from atectl.capsule.outline import (
    MAX_INSTANCES,
    Outline,
    imports_alone,
    may_have_images,
    outline,
)
from atectl.capsule.text_form import assemble, is_text_form
from atectl.engine.kind import Kind
from atectl.errors import (
    InvalidCapsule,
    NotWebAssembly,
    PrecompiledCapsule,
    TruncatedCapsule,
)
from atectl.units import show_size

if TYPE_CHECKING:
    from atectl.capsule.artifact_file import Code
    from atectl.capsule.initial_content import Separated
    from atectl.capsule.interface import LinkingEngine

_NATIVE_MAGIC = b"\x7fELF"


def binary_form(name: str, content: bytes) -> bytes:
    """The binary form of a capsule's content. The text form is assembled.

    Args:
        name: of the file, for messages. The same holds for all functions here.

    Raises:
        NotWebAssembly, PrecompiledCapsule, TruncatedCapsule, InvalidCapsule: it is neither form
            (exit 126).
    """
    if content.startswith(MAGIC) or (content and MAGIC.startswith(content)):
        return content
    if content.startswith(_NATIVE_MAGIC):
        raise PrecompiledCapsule(f"{name} holds native code")
    if not content:
        raise NotWebAssembly(f"{name} is empty")
    if not is_text_form(content):
        raise NotWebAssembly(f"{name} is not WebAssembly: it begins with {repr(content[:8])[1:]}")
    return assemble(name, content)


def judge(
    engine: "LinkingEngine",
    name: str,
    binary: bytes,
    about_to: Callable[[], None],
    *,
    as_command: bool,
) -> Outline:
    """Judge a binary, which begins with `MAGIC` or is cut off within it.

    Args:
        about_to: called before the whole binary is validated.
        as_command: whether it needs an entry point.

    Raises:
        TruncatedCapsule, InvalidCapsule, TooManyInstances, MissingImport, NoEntryPoint: it cannot
            be run (exit 126).
    """
    found = _outline(engine, name, binary)
    if found.is_truncated:
        size = show_size(len(binary))
        raise TruncatedCapsule(f"{name}: the file ends too early, after {size}")
    if found.creates.instances > MAX_INSTANCES:
        from atectl.capsule.errors import TooManyInstances

        raise TooManyInstances(
            f"{name} would make more than {MAX_INSTANCES} instances of modules and components"
        )
    _require_imports(engine, name, binary, found.kind)
    if as_command:
        require_entry_point(name, binary, found)
    _class_of(found.kind)  # what this and the next line import cannot be opened later
    if may_have_images(binary, found.kind):
        import atectl.capsule.initial_content  # noqa: F401
    about_to()
    if found.kind == "module":
        _validate(engine, name, binary)
    return found


def without_data(binary: bytes, kind: Kind) -> "Separated | None":
    """A judged binary without the data that its memories begin with, if that is worth it."""
    if not may_have_images(binary, kind):
        return None
    from atectl.capsule.initial_content import separate

    return separate(binary, kind)


def compile_judged(
    engine: "LinkingEngine", name: str, binary: bytes, kind: Kind, whole: bytes | None = None
) -> "Code":
    """Compile a binary that was judged.

    Args:
        whole: the same with its data, for an error that says where it is not valid; None for a
            module, which is valid.

    Raises:
        InvalidCapsule: it is a component, and not valid (exit 126).
    """
    try:
        return _compile(engine, name, binary, _class_of(kind))
    except InvalidCapsule:
        if whole is not None:
            _compile(engine, name, whole, _class_of(kind))
        raise


def _outline(engine: "LinkingEngine", name: str, binary: bytes) -> Outline:
    try:
        return outline(binary)
    except MalformedBinary as error:
        # If the engine rejects it too, its message is the better one.
        if binary[4:5] == b"\x0d":
            _compile(engine, name, binary, _class_of("component"))
        else:
            _validate(engine, name, binary)
        raise InvalidCapsule(f"{name}: {error}") from None


def _require_imports(engine: "LinkingEngine", name: str, binary: bytes, kind: Kind) -> None:
    """Check that every import is provided, and nothing else.

    Raises:
        MissingImport: one is not (exit 126).
    """
    imports = imports_alone(binary, kind)
    if imports is None:
        return
    try:
        code = _compile(engine, name, imports, _class_of(kind))
    except InvalidCapsule:
        return  # whether the whole binary is invalid, the next step decides
    if isinstance(code, Module) and _is_met(engine, code):
        return
    # Imported here: few capsules get this far, and the others should not pay for it.
    from atectl.capsule.interface import NamedCode, require_imports

    require_imports(engine, NamedCode(name, kind, code))


def _is_met(engine: "LinkingEngine", module: Module) -> bool:
    try:
        engine.module_linker().instantiate_pre(module)
    except WasmtimeError:
        return False
    return True


def _validate(engine: "LinkingEngine", name: str, binary: bytes) -> None:
    try:
        Module.validate(engine.native, binary)
    except WasmtimeError as error:
        raise InvalidCapsule(f"{name}: {_reason(str(error))}") from None


def _class_of(kind: Kind) -> "type[Code]":
    if kind == "module":
        return Module
    # Most capsules are modules, and should not pay for this import.
    from wasmtime.component import Component

    return Component


def _compile(engine: "LinkingEngine", name: str, binary: bytes, code_class: "type[Code]") -> "Code":
    try:
        return code_class(engine.native, binary)
    except WasmtimeError as error:
        raise InvalidCapsule(f"{name}: {_reason(str(error))}") from None


_MAX_REASON = 500
_NUMBERED = r"^\d+: "


def _reason(message: str) -> str:
    """The innermost cause in the engine's message, on one line."""
    causes = [line.strip() for line in message.splitlines() if line.strip()]
    return re.sub(_NUMBERED, "", causes[-1])[:_MAX_REASON] if causes else "the engine refuses it"
