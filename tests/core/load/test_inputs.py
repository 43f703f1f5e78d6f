"""What is to be loaded: files, folders, lists, and the specs within a file."""

import base64
import json
import os
from pathlib import Path

import pytest

from atectl.errors import UsageError
from atectl.load.inputs import Item, items, listed
from tests.support.wasm_bytes import binary_of

MODULE = binary_of("(module)")


def names(*paths: Path, recursive: bool = False) -> list[str]:
    return [item.name for item in items(paths, recursive=recursive)]


def spec(name: str = "prices") -> str:
    return json.dumps({"name": name, "binary": base64.b64encode(MODULE).decode()})


def test_a_file_is_one_capsule_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "one.wasm"
    path.write_bytes(MODULE)
    assert list(items([path], recursive=False)) == [Item(path, len(MODULE))]


def test_a_file_that_is_not_there_is_for_whoever_loads_it(tmp_path: Path) -> None:
    assert list(items([tmp_path / "gone"], recursive=False)) == [Item(tmp_path / "gone", 0)]


def test_a_name_that_no_file_can_have_is_for_whoever_loads_it() -> None:
    path = Path("x" * 5000)
    assert list(items([path], recursive=False)) == [Item(path, 0)]


def test_a_folder_is_refused_unless_all_that_is_in_it_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder") as caught:
        names(tmp_path)
    assert "--recursive" in caught.value.remedy


def test_a_folder_means_its_files_and_those_below_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for place in ("b.wasm", "a.wat", "sub/c.wasm", "notes.txt"):
        (tmp_path / place).write_bytes(MODULE)
    found = names(tmp_path, recursive=True)
    assert found == [str(tmp_path / n) for n in ("a.wat", "b.wasm", "notes.txt", "sub/c.wasm")]


def test_what_is_hidden_or_no_file_or_a_manifest_is_passed_over_in_a_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / ".git").mkdir()
    for place in (".git/x", ".hidden", "Capsule.toml", "one.wasm"):
        (tmp_path / place).write_bytes(MODULE)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "up").symlink_to(tmp_path)
    assert names(tmp_path, recursive=True) == [str(tmp_path / "one.wasm")]


def test_a_manifest_that_is_named_stays(tmp_path: Path) -> None:
    (tmp_path / "Capsule.toml").write_text("")
    assert names(tmp_path / "Capsule.toml") == [str(tmp_path / "Capsule.toml")]


def test_each_of_several_specs_is_a_capsule_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "specs.jsonl"
    path.write_text(f"{spec('one')}\n{spec('two')}\n")
    first, second = items([path], recursive=False)
    assert [first.name, second.name] == [f"{path}#1", f"{path}#2"]
    assert [first.spec, second.spec] == ["one", "two"]
    assert second.part is not None
    content = path.read_bytes()[second.part.offset :][: second.part.size_bytes]
    assert json.loads(content)["name"] == "two"


def test_a_single_spec_is_the_file_that_it_is_in(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(spec())
    assert names(path) == [str(path)]


@pytest.mark.parametrize("content", ['{"a": 1}', "{", "{} []", '{"binary": "00'])
def test_json_that_holds_no_specs_is_one_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    assert names(path) == [str(path)]


def test_a_list_has_a_path_on_each_line() -> None:
    assert list(listed(["a.wasm\n", "\n", "with space.wasm\r\n", "last"])) == [
        *(Path("a.wasm"), Path("with space.wasm"), Path("last")),
    ]
