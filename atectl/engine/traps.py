"""What went wrong in a guest: a short name, the engine's message, the guest's frames."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from atectl.inert import inert_line

if TYPE_CHECKING:
    from wasmtime import Frame

MAX_NAME_CHARS = 200
"""The maximum length of a function's or module's name, which the guest chooses; the rest is cut."""

_FUEL_SENTENCE = "all fuel consumed by WebAssembly"

# The messages are wasmtime's. An error of a component has no code, only the message.
_NAMES = {
    _FUEL_SENTENCE: "out of fuel",
    "allocation size too large": "allocation too large",
    "call stack exhausted": "stack overflow",
    "cast failure": "cast failure",
    "indirect call type mismatch": "indirect call type mismatch",
    "integer divide by zero": "integer division by zero",
    "integer overflow": "integer overflow",
    "interrupt": "interrupted",
    "invalid conversion to integer": "invalid conversion to integer",
    "null reference": "null reference",
    "out of bounds array access": "array out of bounds",
    "out of bounds memory access": "memory out of bounds",
    "thrown Wasm exception": "uncaught exception",
    "unaligned atomic": "unaligned atomic access",
    "undefined element: out of bounds table access": "table out of bounds",
    "uninitialized element": "call of an uninitialized element",
    "wasm `unreachable` instruction executed": "unreachable",
}

ASYNC_CALL = "async call"
_NO_EVENT_LOOP = "without a running event loop"
_ASYNC_SENTENCE = "the engine as Python has it cannot drive async functions"
"""What the engine says itself is ten lines about a bug of its own."""

_CAUSES = "Caused by:\n"
_TRAP = "wasm trap: "
# Compiled when a guest traps, as few do.
_NUMBERED = r"[0-9]+: "
_FRAME_LINE = r" *([0-9]+): +(?:0x[0-9a-f]+ - )?(.*)"
_MANGLED = r"_?_Z|_R[A-Z0-9]"
_RUST_HASH = r"::h[0-9a-f]{16}$|(?<=\w)\[[0-9a-f]{1,16}\](?=::)"
"""The hash that differs between builds of a Rust function or crate, in both forms of mangling."""
_NO_OFFSET = 2**32
"""An offset of this or more means that the engine does not know it."""


class TrapReport(NamedTuple):
    """Why a guest trapped and where. Every text is one line without terminal controls."""

    name: str
    """A short name, such as `unreachable` or `memory out of bounds`."""
    reason: str
    """What the engine says about it."""
    frames: tuple[str, ...]
    """The guest's frames, innermost first, such as `0  parse::number  (m+0x25)`. The engine keeps
    only the innermost twenty."""


def describe(error: Exception) -> TrapReport:
    """The report of a wasmtime `Trap`, or of a `WasmtimeError` that a guest caused."""
    message = str(error)
    frames = tuple(_shown_frames(error, message))
    sentence, detail = _sentence_and_detail(message)
    if _NO_EVENT_LOOP in sentence:
        return TrapReport(ASYNC_CALL, _ASYNC_SENTENCE, frames)
    name = _NAMES.get(sentence) or _first_part(sentence)
    reason = f"{sentence}: {detail}" if detail else sentence
    return TrapReport(name, reason, frames)


def is_trap(error: Exception) -> bool:
    """Whether the guest was running when `error` was raised: a trap, or an error with frames.

    A component's segment that lies beyond its memory or table gives an error that is neither, and
    says no more than that it is a trap.
    """
    from wasmtime import Trap, WasmtimeError

    if isinstance(error, WasmtimeError):
        return bool(_frames(error)) or str(error).startswith(_TRAP)
    return isinstance(error, Trap)


def is_out_of_fuel(error: Exception) -> bool:
    """Whether the guest ended because it had burned all its fuel."""
    return is_trap(error) and _sentence_and_detail(str(error))[0] == _FUEL_SENTENCE


def _sentence_and_detail(message: str) -> tuple[str, str]:
    """What the engine says about the trap, and details, such as the address of a fault."""
    # Names of functions come before the causes and may imitate them: only the last list counts.
    lines = [line.strip() for line in message.rpartition(_CAUSES)[2].splitlines()]
    causes = [inert_line(re.sub(_NUMBERED, "", line, count=1)) for line in lines if line]
    for position, cause in enumerate(causes):
        if cause.startswith(_TRAP):
            return cause.removeprefix(_TRAP), ": ".join(causes[:position])
    return ": ".join(causes), ""


def _first_part(sentence: str) -> str:
    """A message up to its first colon that is not in brackets."""
    depth = 0
    for place, character in enumerate(sentence):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and sentence.startswith(": ", place):
            return sentence[:place]
    return sentence


def _frames(error: Exception) -> "list[Frame]":
    from wasmtime import Trap, WasmtimeError

    from atectl.engine.bindings import error_frames

    if isinstance(error, Trap):
        return error.frames
    return error_frames(error) if isinstance(error, WasmtimeError) else []


def _shown_frames(error: Exception, message: str) -> Iterator[str]:
    demangled = dict(_demangled(message))
    for number, frame in enumerate(_frames(error)):
        name = _function_name(frame, demangled.get(number, ""))
        yield f"{number}  {name}  ({_place(frame)})"


def _demangled(message: str) -> Iterator[tuple[int, str]]:
    """Number and name, `module!function`, of each frame in the engine's own backtrace."""
    backtrace = message.rpartition(_CAUSES)[0]
    for line in backtrace.splitlines():
        match = re.fullmatch(_FRAME_LINE, line)
        if match:
            yield int(match[1]), match[2]


def _function_name(frame: "Frame", demangled: str) -> str:
    raw = frame.func_name
    if not raw:
        return f"<wasm function {frame.func_index}>"
    # The engine demangles any name, however it looks: a C function `a` becomes `signed char`.
    if re.match(_MANGLED, raw):
        raw = demangled.removeprefix(f"{frame.module_name or '<unknown>'}!") or raw
    return _shortened(re.sub(_RUST_HASH, "", raw))


def _place(frame: "Frame") -> str:
    module, offset = _shortened(frame.module_name or ""), frame.module_offset
    if offset >= _NO_OFFSET:
        return module or "at an unknown offset"
    return f"{module}+{offset:#x}" if module else f"{offset:#x}"


def _shortened(name: str) -> str:
    cut = name if len(name) <= MAX_NAME_CHARS else f"{name[:MAX_NAME_CHARS]}…"
    return inert_line(cut)
