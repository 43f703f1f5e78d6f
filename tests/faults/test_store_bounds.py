"""How many instances and memories a guest may make, and how much address space these reserve."""

import json
from pathlib import Path

import pytest

from tests.support.bombs import many_instances
from tests.support.program import atectl

MEMORIES = '(module (func (export "_start")) ' + "(memory 0)" * 16 + " MORE)"
INSTANCES = many_instances('(func (export "f"))', 30)


def capsule(folder: Path, text: str) -> Path:
    path = folder / "makes.wat"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (MEMORIES.replace("MORE", "(memory 0)"), (), "more than 16 memories"),
        (MEMORIES.replace("MORE", ""), ("--max-memories", "15"), "more than 15 memories"),
        (MEMORIES.replace("MORE", ""), ("--max-reserved", "64GiB"), "more than 64GiB of address"),
        (INSTANCES, ("--max-instances", "30"), "more than 30 instances"),
    ],
    ids=["memories", "fewer memories", "address space", "instances"],
)
def test_what_makes_more_is_refused(
    tmp_path: Path, text: str, options: tuple[str, ...], said: str
) -> None:
    path = capsule(tmp_path, text)
    ended = atectl("run", "--ledger", "none", *options, path)
    assert ended.status == 137, ended.stderr
    assert "error[E310]" in ended.stderr
    assert said in ended.stderr
    job = json.dumps({"capsule": str(path)}).encode()
    batch = atectl("batch", "-", "--ledger", "none", *options, stdin=job)
    result = json.loads(batch.stdout)
    assert (result["reason"], result["exit_status"]) == ("quota", 137)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (MEMORIES.replace("MORE", ""), ("--max-reserved", "65GiB")),
        (MEMORIES.replace("MORE", "(memory 0)"), ("--max-memories", "17")),
        (INSTANCES, ("--max-instances", "40")),
    ],
    ids=["the usual", "raised", "instances"],
)
def test_what_makes_no_more_runs(tmp_path: Path, text: str, options: tuple[str, ...]) -> None:
    ended = atectl("run", "--ledger", "none", *options, capsule(tmp_path, text))
    assert ended.status == 0, ended.stderr
