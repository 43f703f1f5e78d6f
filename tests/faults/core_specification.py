"""The core specification's tests, with and without images of memories, and with spilled memory.

`python -m tests.faults.core_specification FOLDER` runs every `*.wast` below that folder, which has
the tests of github.com/WebAssembly/testsuite, once as the engine does by itself, once with images
and once with images whose memory is spilled after every command. What each command answers has to
be the same; else the exit status is 1. What the engine cannot run at all says so in all three.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wasmtime import Func, Instance, Linker, Module, Trap, Val, WasmtimeError, wat2wasm

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.spill.area import SpillArea
from tests.support.images import mapped

WASM_TOOLS = Path(sys.executable).with_name("wasm-tools")
WAYS = ("plain", "images", "spilled")
QUOTA_BYTES = 8 << 30
ENDS_S = 120

SPECTEST = """(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref) (table (export "table64") i64 10 20 funcref)
  (memory (export "memory") 1 2)
  (func (export "print")) (func (export "print_i32") (param i32))
  (func (export "print_i64") (param i64))
  (func (export "print_f32") (param f32)) (func (export "print_f64") (param f64))
  (func (export "print_i32_f32") (param i32 f32))
  (func (export "print_f64_f64") (param f64 f64)))"""


class Script:
    """One file of tests as it runs."""

    def __init__(self, folder: Path, way: str) -> None:
        self._folder, self._way = folder, way
        self._engine = Engine()
        self._area = SpillArea(folder)
        self._memory = LeaseMemory(Meter(Principal(), Quota(QUOTA_BYTES), Ledger()))
        self._store = self._engine.new_store(GuestControl())
        self._linker = Linker(self._engine.native)
        self._linker.allow_shadowing = True
        self._instances: dict[str | None, Instance] = {}
        self._files: dict[str | None, str] = {}
        with self._engine.memories.charging(self._memory):
            spectest = Instance(self._store, Module(self._engine.native, SPECTEST), [])
            self._linker.define_instance(self._store, "spectest", spectest)

    def answer(self, command: dict[str, Any]) -> str:
        """What a command comes to."""
        with self._engine.memories.charging(self._memory):
            try:
                answer = self._done(command)
            except (Trap, WasmtimeError) as error:
                answer = str(error).splitlines()[-1]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                answer = f"not for this runner: {type(error).__name__}"
            self._memory.expect(None)
        if self._way == "spilled":
            self._memory.spill(self._area)
        return answer

    def _done(self, command: dict[str, Any]) -> str:
        match command["type"]:
            case "module":
                self._instantiate(command["filename"], command.get("name"))
            case "module_definition":
                self._files[command.get("name")] = command["filename"]
            case "module_instance":
                self._instantiate(self._files[command.get("module")], command.get("instance"))
            case "register":
                instance = self._instances[command.get("name")]
                self._linker.define_instance(self._store, command["as"], instance)
            case "assert_unlinkable" | "assert_uninstantiable":
                self._instantiate(command["filename"], None)
            case "action" | "assert_return" | "assert_trap" | "assert_exhaustion":
                return self._acted(command["action"])
            case _:
                return "left out"
        return "done"

    def _instantiate(self, filename: str, name: str | None) -> None:
        binary = (self._folder / filename).read_bytes()
        if not binary.startswith(b"\0asm"):
            binary = bytes(wat2wasm(binary))
        if self._way == "plain":
            code: Any = Module(self._engine.native, binary)
        else:
            code, images = mapped(self._engine, binary)
            self._memory.expect(images)
        instance = self._linker.instantiate(self._store, code)
        self._memory.require_all_made()
        self._instances[None] = self._instances[name] = instance

    def _acted(self, action: dict[str, Any]) -> str:
        found = self._instances[action.get("module")].exports(self._store)[action["field"]]
        if action["type"] == "get":
            return repr(found.value(self._store))  # type: ignore[union-attr]
        assert isinstance(found, Func)
        answer = found(self._store, *map(_argument, action["args"]))
        return "a function" if isinstance(answer, Func) else repr(answer)


def _argument(told: dict[str, str]) -> Any:
    kind, value = told["type"], told.get("value", "")
    if kind in ("i32", "i64"):
        bits = int(kind[1:])
        number = int(value) % (1 << bits)
        return number - (1 << bits) if number >> bits - 1 else number
    if kind in ("f32", "f64"):
        import struct

        size = int(kind[1:]) // 8
        content = int(value).to_bytes(size, "little")
        number = struct.unpack("<f" if size == 4 else "<d", content)[0]
        return Val.f32(number) if size == 4 else Val.f64(number)
    if value == "null" and kind == "externref":
        return Val.externref(None)
    raise ValueError(kind)


def run_one(script: Path, way: str) -> None:
    """Run a file that `json-from-wast` made, and print what each command answers."""
    running = Script(script.parent, way)
    for command in json.loads(script.read_text())["commands"]:
        print(command["line"], command["type"], running.answer(command), flush=True)


def answers(script: Path) -> list[list[str]]:
    """What the commands of a file answer, for each way, and how its process ended."""
    found = []
    for way in WAYS:
        words = [sys.executable, "-m", "tests.faults.core_specification", str(script), way]
        ran = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
            timeout=ENDS_S,
        )  # fmt: skip
        found.append([*ran.stdout.splitlines(), f"ended {ran.returncode}"])
    return found


def scripts(folder: Path) -> Iterator[tuple[Path, list[list[str]]]]:
    """Each file of tests, and its answers."""
    for path in sorted(folder.rglob("*.wast")):
        with TemporaryDirectory() as made:
            script = Path(made, "script.json")
            words = ["json-from-wast", str(path), "--wasm-dir", made, "-o", str(script)]
            converted = subprocess.run([WASM_TOOLS, *words], capture_output=True, check=False)
            if converted.returncode == 0:
                yield path, answers(script)


def main(folder: Path) -> int:
    """Run all of them, and print where ways differ. Returns the exit status."""
    count = commands = aborted = 0
    different = []
    for path, found in scripts(folder):
        count, commands = count + 1, commands + len(found[0]) - 1
        aborted += not found[0][-1].endswith(" 0")
        for way, other in zip(WAYS[1:], found[1:], strict=True):
            if other != found[0]:
                pairs = zip(found[0], other, strict=False)
                first = next((pair for pair in pairs if pair[0] != pair[1]), None)
                different.append(f"{path.name}, {way}: {first}")
    print(*different, sep="\n")
    print(f"{commands} commands of {count} files, {len(different)} differences;")
    print(f"the engine's binding ended the process of {aborted} of them, in each way alike")
    return 1 if different else 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_one(Path(sys.argv[1]), sys.argv[2])
    else:
        sys.exit(main(Path(sys.argv[1])))
