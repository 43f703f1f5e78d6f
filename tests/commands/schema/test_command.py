"""`atectl schema`: the list, one schema, and what is frozen of all of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from atectl.commands.app import SHORT_FORMS
from atectl.commands.options.tree import read_tree
from atectl.commands.schema.app import complete_name
from atectl.commands.schema.documents import DOCUMENTS, Document
from tests.support.program import atectl

GOLDEN = Path(__file__).parent / "golden.json"
"""The keys of every document. `ATECTL_REDRAW=1 pytest tests/commands/schema` adds new ones."""

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)


def test_without_a_name_every_document_is_listed() -> None:
    listed = atectl("schema")
    assert listed.status == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [
        "NAME", *(document.name for document in DOCUMENTS),
    ]  # fmt: skip


def test_the_list_as_json_says_what_each_is_and_what_uses_it() -> None:
    listed = json.loads(atectl("schema", "-o", "json").stdout)["documents"]
    assert listed[0] == {
        "name": "run-report",
        "title": "The report of `atectl run --report`",
        "used_by": "atectl run --report",
    }


def test_every_command_that_prints_json_has_a_document() -> None:
    used_by = [document.used_by for document in DOCUMENTS]
    without = [
        command.path
        for command in read_tree().walk()
        if any(option.value and "json" in option.value.choices for option in command.options)
        and command.path[0] not in SHORT_FORMS
        and not any(each.startswith(f"atectl {' '.join(command.path)} ") for each in used_by)
    ]
    assert without == []


def test_with_a_name_its_schema_is_printed() -> None:
    printed = atectl("schema", "run-report")
    assert printed.status == 0
    schema = json.loads(printed.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "urn:atectl:schema:run-report:1"


def test_an_unknown_name_is_a_usage_error_with_the_nearest() -> None:
    ended = atectl("schema", "run-reprot")
    assert (ended.status, ended.stdout) == (2, "")
    assert "there is no schema 'run-reprot'; did you mean run-report?" in ended.stderr


def test_names_are_completed() -> None:
    assert complete_name("locks") == ["locks-ls", "locks-show", "locks-audit", "locks-acl"]


@every_document
def test_a_schema_is_one_by_the_rules_of_schemas(document: Document) -> None:
    Draft202012Validator.check_schema(document.schema())


def objects_in(schema: Any, name: str = "") -> dict[str, dict[str, Any]]:
    """Every object in a schema that has keys, by the name or the way that leads to it."""
    found: dict[str, dict[str, Any]] = {}
    if isinstance(schema, dict):
        if "properties" in schema:
            found[name] = schema
        for key, value in schema.items():
            part = "" if key in ("$defs", "properties") else key
            found |= objects_in(value, ".".join(filter(None, (name, part))))
    return found


def all_objects(document: Document) -> dict[str, dict[str, Any]]:
    schema = document.schema()
    own = objects_in({key: value for key, value in schema.items() if key != "$defs"})
    return own | objects_in(schema.get("$defs", {}))


@every_document
def test_every_key_is_described_in_words_for_readers_of_json(document: Document) -> None:
    for name, each in all_objects(document).items():
        for key, value in each["properties"].items():
            description = value.get("description", "")
            assert description.endswith((".", "…")), f"{name}.{key} is not described"
            assert " None" not in description, f"{name}.{key} speaks Python"


@every_document
def test_what_is_a_size_or_a_time_says_its_unit(document: Document) -> None:
    units = {"_bytes": "In bytes.", "_s": "In seconds.", "_ms": "In milliseconds."}
    for each in all_objects(document).values():
        for key, value in each["properties"].items():
            for end, unit in units.items():
                if key.endswith(end) and "integer" in value.get("type", ()):
                    assert unit in value["description"]


@every_document
def test_keys_that_are_not_known_are_refused(document: Document) -> None:
    objects = all_objects(document)
    assert objects
    for each in objects.values():
        assert each["additionalProperties"] is False


# What is frozen


def kind_of(schema: dict[str, Any]) -> str:
    """The type of a key, in short."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return "|".join(map(kind_of, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"[{kind_of(schema['items'])}]"
    if "const" in schema:
        return f"={schema['const']}"
    kind = schema.get("type", "string")
    return kind if isinstance(kind, str) else "|".join(kind)


def keys_of(document: Document) -> dict[str, dict[str, str]]:
    """The keys of every object of a document with their types; `?` marks what may be missing."""
    return {
        name: {
            key + ("" if key in each.get("required", ()) else "?"): kind_of(value)
            for key, value in each["properties"].items()
        }
        for name, each in all_objects(document).items()
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, dict[str, str]]]:
    return json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}  # type: ignore[no-any-return]


@every_document
def test_nothing_is_taken_away_from_a_document(
    document: Document, golden: dict[str, dict[str, dict[str, str]]]
) -> None:
    """Where something has to go, `schema_version` is raised, and the line here is taken out."""
    now = keys_of(document)
    for name, keys in golden.get(document.name, {}).items():
        for key, kind in keys.items():
            assert now.get(name, {}).get(key) == kind, f"{document.name}: {name}.{key} is gone"


@pytest.mark.xdist_group("schema golden")
def test_what_is_added_to_documents_is_looked_at(
    golden: dict[str, dict[str, dict[str, str]]],
) -> None:
    now = {document.name: keys_of(document) for document in DOCUMENTS}
    if os.environ.get("ATECTL_REDRAW"):
        GOLDEN.write_text(json.dumps(now, indent=1) + "\n")
        return
    assert golden == now
