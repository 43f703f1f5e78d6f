"""The pages do what they say: each command on them is run, and shows what stands there.

A page is any Markdown file. Each has a group of its own, so that workers share them.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.support.console_pages import Block, console_blocks, differences, run_block
from tests.support.processes import is_alive
from tests.support.redis_servers import Server
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("atectl", "commands", "completions", "fixtures", "tests")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted(
        [
            *ROOT.glob("*.md"),
            *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
        ]
    )
}
BLOCKS = {name: console_blocks(text) for name, text in PAGES.items()}

SLOW = {"commands/locks/README.md"}
"""Pages that wait for something: for locks to expire. They are begun first."""

BY_CI = ".ci/run does"
"""The reason above the set-up commands."""

README_BYTES = 12 << 10

Visitor = tuple[Path, dict[str, str]]


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Visitor]]:
    """The folder and the environment of somebody who follows a page from top to bottom.

    They have a Valkey of their own, with nothing in it.
    """
    with ExitStack() as servers:

        @cache
        def of_page(_page: str) -> Visitor:
            folder = tmp_path_factory.mktemp("page")
            (folder / "fixtures").symlink_to(ROOT / "fixtures")
            environment = {
                "ATECTL_REDIS_URL": servers.enter_context(Server()).url,
                "HOME": str(tmp_path_factory.mktemp("page-home")),
                "LC_ALL": "C.UTF-8",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            }
            return folder, environment

        yield of_page


def marks(page: str) -> list[pytest.MarkDecorator]:
    group = pytest.mark.xdist_group(f"page {page}")
    return [group, pytest.mark.slow] if page in SLOW else [group]


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, marks=marks(page), id=f"{page}:{block.line}")
        for page, blocks in BLOCKS.items()
        for block in blocks
    ],
)
def test_a_block_of_a_page_shows_what_it_says(
    page: str, block: Block, visitor: Callable[[str], Visitor]
) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    shown = run_block(block, *visitor(page))
    assert not differences(block, shown), differences(block, shown)


def test_the_readme_begins_with_two_commands_that_ci_runs() -> None:
    commands = [
        step.command
        for block in BLOCKS["README.md"][:2]
        if block.not_run == BY_CI
        for step in block.steps
    ]
    assert len(commands) == 2
    assert "atectl run" in commands[0]
    assert commands[1].endswith("pytest")


def test_the_readme_is_short_and_shows_more_than_how_to_set_up() -> None:
    assert len(PAGES["README.md"].encode()) <= README_BYTES
    assert [block for block in BLOCKS["README.md"] if not block.not_run]


# Links

_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]*))?\)")


def links(page: str) -> set[tuple[str, str]]:
    """Where a page leads: other files, by their names here, with the heading that is meant."""
    return {
        (os.path.normpath(Path(page).parent / target) if target else page, anchor)
        for target, anchor in _LINK.findall(PAGES[page])
        if "://" not in target
    }


def anchors(page: str) -> set[str]:
    """The headings of a page, as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGES[page], re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for target, anchor in links(page):
        assert (ROOT / target).exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set[str](), {"README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= {target for target, _anchor in links(page) if target in PAGES} - reached
    assert set(PAGES) - reached == set()


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


def test_what_a_block_leaves_running_is_ended(tmp_path: Path) -> None:
    block = only_block("$ sleep 600 > /dev/null 2>&1 &\n$ echo $!\n…\n")
    [_, number] = run_block(block, tmp_path, os.environ)
    wait_until(lambda: not is_alive(int(number)))


def test_a_block_begins_with_a_command() -> None:
    with pytest.raises(ValueError, match="begins with"):
        only_block("output\n$ true\n")
