"""README.md does what it says: every command in it is run, and shows what stands there."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readme_console import Block, console_blocks, differences, run_block
from tests.support.redis_servers import Server

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = console_blocks((ROOT / "README.md").read_text())

BY_CI = ".ci/run does"
"""The reason above the set-up commands."""


@pytest.fixture(scope="module")
def visitor(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, dict[str, str]]]:
    """The folder and the environment of somebody who follows the page from top to bottom.

    They have a Valkey of their own, with nothing in it.
    """
    folder = tmp_path_factory.mktemp("readme")
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    home = tmp_path_factory.mktemp("readme-home")
    with Server() as server:
        environment = {
            "ATECTL_REDIS_URL": server.url,
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        yield folder, environment


@pytest.mark.xdist_group("readme")
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{block.line}")
def test_a_block_of_the_readme_shows_what_it_says(
    block: Block, visitor: tuple[Path, dict[str, str]]
) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    shown = run_block(block, *visitor)
    assert not differences(block, shown), differences(block, shown)


def test_the_readme_begins_with_two_commands_that_ci_runs() -> None:
    commands = [
        step.command for block in BLOCKS[:2] if block.not_run == BY_CI for step in block.steps
    ]
    assert len(commands) == 2
    assert "atectl run" in commands[0]
    assert commands[1].endswith("pytest")


def test_the_readme_shows_more_than_how_to_set_up() -> None:
    assert [block for block in BLOCKS if not block.not_run]


# The mechanism itself

SAMPLE = """\
# Sample

<!-- not run: takes a day -->
```console
$ sleep 1d
```

```sh
$ false
```

```console
$ printf 'one\\ntwo  \\nthree\\n'
one
…
three
$ printf 'took 17 ms\\n'; exit_status() { return 3; }
took … ms
$ exit_status
$ echo $?
3
```

```console
$ ls fixtures
capsules
$ echo heard on stderr >&2
heard on stderr
```
"""


def only_block(body: str) -> Block:
    [block] = console_blocks(f"```console\n{body}```\n")
    return block


def test_only_console_blocks_are_taken() -> None:
    assert [block.line for block in console_blocks(SAMPLE)] == [4, 12, 24]


def test_a_comment_right_above_skips_a_block_and_gives_the_reason() -> None:
    assert [block.not_run for block in console_blocks(SAMPLE)] == ["takes a day", None, None]


def test_a_comment_further_up_skips_nothing() -> None:
    page = "<!-- not run: other -->\n\ntext\n\n```console\n$ true\n```\n"
    assert console_blocks(page)[0].not_run is None


def test_a_sample_page_passes(tmp_path: Path) -> None:
    (tmp_path / "fixtures" / "capsules").mkdir(parents=True)
    for block in console_blocks(SAMPLE)[1:]:
        shown = run_block(block, tmp_path, os.environ)
        assert differences(block, shown) == ""


@pytest.mark.parametrize(
    "body",
    [
        "$ echo one\ntwo\n",
        "$ echo one\n",
        "$ true\none\n",
        "$ echo one\none\ntwo\n",
        "$ printf 'one\\ntwo\\n'\none …\n",
        "$ echo took some time\ntook … ms\n",
        "$ false\n$ echo $?\n0\n",
        "$ echo one.two\none_two\n",
    ],
)
def test_output_other_than_said_is_a_difference(body: str, tmp_path: Path) -> None:
    block = only_block(body)
    shown = run_block(block, tmp_path, os.environ)
    assert "says:" in differences(block, shown)


def test_a_block_that_ends_its_shell_early_is_a_difference(tmp_path: Path) -> None:
    block = only_block("$ exit 0\n$ echo never\nnever\n")
    shown = run_block(block, tmp_path, os.environ)
    assert differences(block, shown) == "only 0 of 2 commands were run"


def test_a_block_begins_with_a_command() -> None:
    with pytest.raises(ValueError, match="begins with"):
        only_block("output\n$ true\n")
