"""A program in Python, built into a component by componentize-py."""

import subprocess
import sys
from pathlib import Path

WORLD = """package local:program;

world program {
  import wasi:cli/environment@0.2.0;
  export wasi:cli/run@0.2.0;
}
"""
INTERFACES = """package wasi:cli@0.2.0;

interface run {
  run: func() -> result;
}

interface environment {
  get-arguments: func() -> list<string>;
}
"""
PROGRAM = """
import sys
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.environment import get_arguments


class Run(exports.Run):
    def run(self) -> None:
        word = get_arguments()[-1]
        print("to", word, flush=True)
        if word == "err":
            raise Err(None)
        if word == "bug":
            raise ValueError(word)
        if word == "exit":
            sys.exit(3)
"""


def build_python_component(folder: Path) -> Path:
    """A command that prints its last word, and ends as that says: return, err, bug or exit.

    Building it takes some 12 seconds of CPU, compiling it as many.
    """
    interfaces = folder / "wit" / "deps" / "cli"
    interfaces.mkdir(parents=True)
    (folder / "wit" / "world.wit").write_text(WORLD)
    (interfaces / "cli.wit").write_text(INTERFACES)
    (folder / "program.py").write_text(PROGRAM)
    component = folder / "program.wasm"
    tool = [Path(sys.executable).with_name("componentize-py"), "-d", "wit", "-w", "program"]
    subprocess.run(
        [*tool, "componentize", "program", "-o", component],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=280,
    )
    return component
