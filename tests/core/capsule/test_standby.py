"""A fork that stands by to compile takes next to nothing until there is something to compile."""

from tests.conftest import CAPSULES
from tests.support.python_child import in_child

BATCH_START = f"""
from pathlib import Path
from atectl.capsule.compiler import Compiler
from atectl.engine.metered import Engine
def loads_openssl():
    return "libcrypto" in Path(f"/proc/{{compiler._zygote}}/maps").read_text()
with Compiler(Engine()) as compiler:
    compiler.prepare()
    before = loads_openssl()
    with open("{CAPSULES / "hello.wat"}", "rb") as capsule:
        with compiler.begin("hello.wat", capsule.fileno()) as compilation:
            assert compilation.verdict().made is not None
    print(before, loads_openssl())
"""


def test_nothing_is_loaded_before_the_first_task() -> None:
    assert in_child(BATCH_START).split() == ["False", "True"]


def test_what_is_said_is_imported_at_once_and_can_be_waited_for() -> None:
    prepared = in_child(
        "import sys\n"
        "from pathlib import Path\n"
        "from atectl.capsule.compiler import Compiler\n"
        "from atectl.engine.settings import DEFAULT_SETTINGS\n"
        "with Compiler(DEFAULT_SETTINGS) as compiler:\n"
        "    compiler.prepare('atectl.batch.cells.serving')\n"
        "    compiler.wait_until_prepared()\n"
        "    maps = Path(f'/proc/{compiler._zygote}/maps').read_text()\n"
        "print('libwasmtime' in maps, 'wasmtime' in sys.modules)"
    )
    assert prepared.split() == ["True", "False"]


def test_it_ends_with_who_would_ask() -> None:
    left = in_child(
        "import os\n"
        "from atectl.capsule.compiler import Compiler\n"
        "from atectl.engine.metered import Engine\n"
        "with Compiler(Engine()) as compiler:\n"
        "    compiler.prepare()\n"
        "    zygote = compiler._zygote\n"
        "print(os.path.exists(f'/proc/{zygote}'))"
    )
    assert left.split() == ["False"]
