"""Capsules that are dear to compile, or would be if they were compiled."""

import string
from collections.abc import Iterator

from tests.support import wasm_bytes

HEADER = '(module (memory (export "memory") 1) '


def merge_bomb(blocks: int, variables: int) -> str:
    """Every block is a target of one br_table, so that all variables are merged at each.

    300 and 300 take 100 MiB; 1000 and 800 take 0.9 GiB and some seconds.
    """
    loads = "".join(
        f"(local.set {n} (i32.load offset={4 * n} (local.get {(n + 1) % variables})))"
        for n in range(variables)
    )
    table = "(br_table " + " ".join(map(str, range(blocks))) + " (local.get 0))"
    ends = "".join(
        f") (local.set {n % variables} (i32.add (local.get {(7 * n + 1) % variables}) "
        f"(i32.const {n}))) (br_if {blocks - 1 - n} (local.get {3 * n % variables}))"
        for n in range(blocks)
    )
    stores = "".join(
        f"(i32.store offset={4 * n} (i32.const 0) (local.get {n}))" for n in range(variables)
    )
    body = f"(loop $again {'(block ' * blocks}{loads}{table}{ends}{stores})"
    return f'{HEADER}(func (export "_start") (local {"i32 " * variables}) {body}))'


def slow_loops(variables: int, loops: int) -> str:
    """Nested loops, each of which changes every variable.

    6000 and 50 take 12 seconds of one core and 300 MiB, and little more time with more cores.
    """
    sets = "".join(f"(local.set {n} (i32.load (local.get {n})))" for n in range(variables))
    body = "(loop " * loops + sets + "(br_if 0 (local.get 0)))" * loops
    return f'{HEADER}(func (export "_start") (local {"i32 " * variables}) {body}))'


def doubling_component(levels: int) -> str:
    """A component each of whose levels instantiates the one below twice."""
    nested = "".join(
        f"(component $c{n} (alias outer 1 $c{n - 1} (component $below)) "
        "(instance (instantiate $below)) (instance (instantiate $below)))"
        for n in range(1, levels + 1)
    )
    return f"(component (component $c0) {nested} (instance (instantiate $c{levels})))"


def passive_functions(count: int) -> str:
    """A segment of so many functions, all of them the same: 260,000 take 670 MiB to compile."""
    return f'(module (func $f) (func (export "_start")) (elem func{" $f" * count}))'


def invalid_at_its_end(binary: bytes) -> bytes:
    """A module whose last function lacks its end: all that is before it is as it was."""
    *_, (_, _, end) = (each for each in _sections(binary) if each[0] == _CODE)
    return binary[: end - 1] + b"\0" + binary[end:]


def with_import(binary: bytes, module: str, name: str) -> bytes:
    """A module that imports one function more, without parameters and results."""
    [(_, start, end)] = (each for each in _sections(binary) if each[0] == _IMPORTS)
    contents_start = start + 1 + _number(binary, start + 1)[1]
    count, length = _number(binary, contents_start)
    entry = wasm_bytes.name(module) + wasm_bytes.name(name) + b"\0\0"
    contents = wasm_bytes.leb(count + 1) + binary[contents_start + length : end] + entry
    return binary[:start] + wasm_bytes.section(_IMPORTS, contents) + binary[end:]


_IMPORTS, _CODE = 2, 10


def _sections(binary: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each section of a binary."""
    position = 8
    while position < len(binary):
        size, length = _number(binary, position + 1)
        end = position + 1 + length + size
        yield binary[position], position, end
        position = end


def _number(binary: bytes, position: int) -> tuple[int, int]:
    """A LEB128 number, and how many bytes it has."""
    value = 0
    for length in range(1, 6):
        byte = binary[position + length - 1]
        value |= (byte & 0x7F) << 7 * (length - 1)
        if byte < 0x80:
            break
    return value, length


def many_instances(module: str, count: int) -> str:
    """A command component that makes so many instances of a core module, given as its fields.

    None of them has a memory: what they take is the engine's own state for them.
    """
    made = "(core instance (instantiate $m))" * count
    return f"""(component (core module $m {module}) {made}
      (core module $r (func (export "run") (result i32) (i32.const 0)))
      (core instance $r (instantiate $r))
      (func $run (result (result)) (canon lift (core func $r "run")))
      (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"""


STATES = {
    "globals": ("(global (mut v128) (v128.const i64x2 0 0))" * 50_000, 200),
    "passive elements": (f"(func $f) (elem func{' $f' * 5_000})", 2000),
    "functions": ("".join(f'(func (export "{n}"))' for n in range(2500)), 2000),
    "passive segments": ("(func $f)" + "(elem func $f)" * 6_000, 200),
    "data segments": ("(data)" * 60_000, 200),
}
"""Fields of core modules, and with how many instances these take some 160 MB and more."""


def many_flags(count: int, names: int = 1) -> str:
    """A component whose export `get` returns a list of so many flags, each with all its names."""
    named = " ".join(f'"n{number}"' for number in range(names))
    size = 1 if names <= 8 else 2 if names <= 16 else 4
    return f"""(component
      (type $flags-0 (flags {named}))
      (export $flags "some-flags" (type $flags-0))
      (core module $m
        (memory (export "memory") {(count * size + 16) // 65_536 + 1})
        (func (export "get") (result i32)
          (memory.fill (i32.const 16) (i32.const {(1 << min(names, 8)) - 1})
            (i32.const {count * size}))
          (i32.store (i32.const 0) (i32.const 16))
          (i32.store (i32.const 4) (i32.const {count}))
          (i32.const 0)))
      (core instance $i (instantiate $m))
      (func (export "get") (result (list $flags))
        (canon lift (core func $i "get") (memory (core memory $i "memory")))))"""


def doubling_name(levels: int) -> str:
    """A mangled name of C++, each of whose types has the one before it twice."""
    digits = string.digits + string.ascii_uppercase
    return f"_Z1f1AIiE{''.join(f'S_IS{digits[n]}_S{digits[n]}_E' for n in range(levels))}"


def many_types(count: int) -> bytes:
    """A command with so many types of structures: the code of 60,000 takes 65 MB where it is
    mapped."""
    kinds = b"\x7f\x7e\x7d\x7c"
    numbers = (b"\x5f" + wasm_bytes.leb(8) + _fields(n, kinds) for n in range(count))
    function = b"\x60\0\0"
    exports = wasm_bytes.name("_start") + b"\0\0"
    return (
        wasm_bytes.MODULE_HEADER
        + wasm_bytes.section(1, wasm_bytes.vector(function, *numbers))
        + wasm_bytes.section(3, wasm_bytes.vector(b"\0"))
        + wasm_bytes.section(7, wasm_bytes.vector(exports))
        + wasm_bytes.section(10, wasm_bytes.vector(b"\2\0\x0b"))
    )


def _fields(number: int, kinds: bytes) -> bytes:
    """Eight fields that are no others' of another number below 65,536."""
    return b"".join(bytes([kinds[number >> 2 * place & 3], 1]) for place in range(8))
