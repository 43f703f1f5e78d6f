"""Text assembled by another process: a few bytes of it can take very much memory.

See `compile_child` for how that process is bounded.
"""

import os
from typing import TYPE_CHECKING

from atectl.capsule.task import Task, Work

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine

_WORK = Work(__name__)


def assemble_apart(name: str, text: bytes) -> bytes:
    """The binary form of `text`.

    Args:
        name: of the file, for messages.

    Raises:
        TruncatedCapsule, InvalidCapsule: there is none (exit 126).
        CompileMemory, CompileTime: it takes more than that may take (exit 126).
        CompilerGone, HostExhausted: it could not be assembled (exit 125).
    """
    from atectl.capsule.compiler import Compiler
    from atectl.engine.settings import DEFAULT_SETTINGS

    compiling = Compiler(DEFAULT_SETTINGS)
    with os.fdopen(os.memfd_create("text"), "w+b") as file, compiling as compiler:
        file.write(text)
        file.flush()
        with compiler.begin(name, file.fileno(), work=_WORK) as begun:
            verdict = begun.verdict()
            if verdict.refusal is not None:
                raise verdict.refusal.error(name)
            return os.pread(begun.memory, os.fstat(begun.memory).st_size, 0)


def work(_engine: "LinkingEngine", task: Task) -> bytes:
    """The binary form of the text that the file holds, in that other process."""
    from atectl.capsule.compile_child import reading
    from atectl.capsule.text_form import assemble

    with reading(task) as file:
        text = file.read(file.left)
    return assemble(task.name, text)
