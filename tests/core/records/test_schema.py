"""Schemas follow from records and tables: nothing is written for them alone."""

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from atectl.records.readers import by_name, exactly, listed, optional, size, text, values_of, whole
from atectl.records.reading import Field, Table, Variants
from atectl.records.schema import DIALECT, schema_of
from atectl.records.types import Mark, without
from atectl.units import Moment


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    """As roses are."""
    BLUE = "blue"


class Point(NamedTuple):
    """A point. It has no size."""

    x_s: float
    """Where it is."""
    note: Annotated[str, Mark.EMPTY_IS_UNKNOWN] = ""
    """What is said of it;
    null if nothing is."""


class Drawing(NamedTuple):
    """A drawing: all that is on it."""

    point: Annotated[Point, Mark.INLINE]
    """Its middle."""
    colour: Colour
    """Its colour."""
    form: Literal["round", "square"] | None
    """Its form."""
    kind: Annotated[str, ("new", "old")]
    """Its kind."""
    made_at: Moment | None
    """When it was made."""
    points: tuple[Annotated[Point, without("note")], ...]
    """What is on it."""
    size_bytes: int
    """What it takes."""
    by_name: dict[str, int]
    """Numbers, by name."""


class Blank(NamedTuple):
    """Nothing drawn yet."""

    is_blank: bool
    """That it is blank."""


Sheet = Drawing | Blank
"""A sheet, drawn on or not."""

HERE = __name__


def schema(name: str) -> dict[str, Any]:
    return schema_of("it", f"{HERE}:{name}")


def test_a_schema_says_its_dialect_and_an_id_that_names_no_host() -> None:
    head = list(schema("Blank").items())[:2]
    assert head == [("$schema", DIALECT), ("$id", "urn:atectl:schema:it:1")]


def test_title_and_description_are_the_docstring_of_the_record() -> None:
    assert schema("Point")["title"] == "A point"
    assert schema("Point")["description"] == "A point. It has no size."
    assert schema("Drawing")["title"] == "A drawing"


def test_what_is_written_has_all_its_keys_behind_the_version_and_no_other() -> None:
    found = schema("Blank")
    assert list(found["properties"]) == found["required"] == ["schema_version", "is_blank"]
    assert found["properties"]["schema_version"]["const"] == 1
    assert found["additionalProperties"] is False


def test_the_fields_of_an_inlined_record_stand_in_its_place() -> None:
    assert list(schema("Drawing")["properties"])[:4] == [
        "schema_version", "x_s", "note", "colour",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("x_s", {"type": "number", "description": "Where it is. In seconds."}),
        (
            "note",
            {
                "type": ["string", "null"],
                "description": "What is said of it; null if nothing is.",
            },
        ),
        ("colour", {"$ref": "#/$defs/Colour", "description": "Its colour."}),
        (
            "form",
            {
                "type": ["string", "null"],
                "enum": ["round", "square", None],
                "description": "Its form.",
            },
        ),
        ("kind", {"type": "string", "enum": ["new", "old"], "description": "Its kind."}),
        (
            "made_at",
            {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When it was made.",
            },
        ),
        (
            "points",
            {
                "type": "array",
                "items": {"$ref": "#/$defs/Point"},
                "description": "What is on it.",
            },
        ),
        ("size_bytes", {"type": "integer", "description": "What it takes. In bytes."}),
        (
            "by_name",
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "Numbers, by name.",
            },
        ),
    ],
)
def test_each_type_has_its_schema_and_each_field_its_docstring(
    key: str, expected: dict[str, Any]
) -> None:
    assert schema("Drawing")["properties"][key] == expected


def test_a_field_that_is_left_out_of_json_is_left_out_of_the_schema() -> None:
    assert list(schema("Drawing")["$defs"]["Point"]["properties"]) == ["x_s"]


def test_the_members_of_an_enumeration_are_described() -> None:
    assert schema("Drawing")["$defs"]["Colour"] == {
        "type": "string",
        "enum": ["red", "blue"],
        "description": "A colour.\n`red`: As roses are.",
    }


def test_a_document_of_several_types_is_one_of_them() -> None:
    found = schema("Sheet")
    assert found["title"] == "A sheet, drawn on or not"
    assert found["anyOf"] == [{"$ref": "#/$defs/Drawing"}, {"$ref": "#/$defs/Blank"}]
    assert "schema_version" in found["$defs"]["Blank"]["required"]


# What is read


class Crate(NamedTuple):
    """A crate, as it is handed in."""

    name: str
    """What it is called."""
    size_bytes: int = 7
    """How large it is."""


CRATE = Table(
    Crate,
    fields=(
        Field("name", text, is_required=True),
        Field("size", size, "size_bytes"),
        Field("tags", listed(text, "texts"), says="What is written on it."),
    ),
)
SHIP = Table(
    says="A ship: what it carries.",
    fields=(
        Field("crates", by_name(text, values_of(CRATE)), says="By name."),
        Field("weight_bytes", optional(whole(1, 9)), says="Its weight."),
        Field("hold", values_of(Table(says="The hold.", fields=())), says="The hold."),
    ),
)
LOG = Variants(
    "event",
    {"crate": CRATE, "end": Table(fields=(Field("at", exactly(1)),), says="The end.")},
    says="A line of a log.",
)


def table_of_the_crate() -> Table:
    return CRATE


def test_what_is_read_has_the_keys_of_its_table_and_requires_what_that_does() -> None:
    found = schema("CRATE")
    assert list(found["properties"]) == ["name", "size", "tags"]
    assert found["required"] == ["name"]
    assert found["additionalProperties"] is False
    assert found["title"] == "A crate, as it is handed in"


def test_a_key_has_what_its_reader_takes_its_docstring_and_its_default() -> None:
    assert schema("CRATE")["properties"]["name"] == {
        "type": "string",
        "description": "What it is called.",
    }
    found = schema("CRATE")["properties"]["size"]
    assert found["default"] == 7
    assert found["pattern"] == size.takes["pattern"]  # type: ignore[index]
    assert found["description"].startswith("How large it is. A size: `64MiB`")


def test_a_table_may_have_tables() -> None:
    found = schema("SHIP")
    crates = found["properties"]["crates"]
    assert crates["additionalProperties"] == {"$ref": "#/$defs/Crate"}
    assert found["$defs"]["Crate"]["required"] == ["name"]
    assert found["properties"]["hold"]["type"] == "object"
    assert found["title"] == "A ship"


def test_what_may_be_nothing_is_either() -> None:
    weight = schema("SHIP")["properties"]["weight_bytes"]
    assert weight["anyOf"] == [{"type": "integer", "minimum": 1, "maximum": 9}, {"const": None}]


def test_a_line_of_several_kinds_is_told_apart_by_its_key() -> None:
    found = schema("LOG")
    assert found["anyOf"] == [{"$ref": "#/$defs/crate"}, {"$ref": "#/$defs/end"}]
    assert found["$defs"]["end"]["properties"]["event"]["const"] == "end"
    assert found["$defs"]["end"]["required"] == ["event"]


def test_a_table_may_be_made_by_a_function() -> None:
    assert schema("table_of_the_crate") == schema("CRATE")


def test_two_types_of_one_name_are_not_mixed_up() -> None:
    class Crate(NamedTuple):
        """Another crate."""

        weight: int

    globals()["both"] = NamedTuple("both", [("one", CRATE.records[0]), ("other", Crate)])  # type: ignore[misc]
    with pytest.raises(TypeError, match="two types are called Crate"):
        schema("both")
