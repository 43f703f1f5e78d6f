"""Records become JSON by their annotations alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest

from atectl.records.as_json import as_json, document
from atectl.records.types import Mark, without
from atectl.units import Moment


class Colour(StrEnum):
    """A colour."""

    RED = "red"


class Point(NamedTuple):
    """A point."""

    x: int
    y: float = 0.5


class Segment(NamedTuple):
    """Two points."""

    begin: Point
    end: Point | None = None


def test_fields_come_in_their_order_behind_the_version_of_the_schema() -> None:
    assert list(document(Point(1)).items()) == [("schema_version", 1), ("x", 1), ("y", 0.5)]


def test_records_within_records_are_objects_and_what_is_not_there_is_null() -> None:
    assert as_json(Segment(Point(1))) == {"begin": {"x": 1, "y": 0.5}, "end": None}
    assert as_json(Segment(Point(1), Point(2, 3.0)))["end"] == {"x": 2, "y": 3.0}


class Plain(NamedTuple):
    """All that has a form of its own."""

    colour: Colour
    path: Path
    at: Moment
    until: Moment | None
    names: tuple[str, ...]
    points: tuple[Point, ...]
    by_name: dict[str, int]
    points_by_name: dict[str, Point]


def test_each_type_has_one_form() -> None:
    plain = Plain(
        Colour.RED, Path("a/b"), 1.5, None, ("x",), (Point(1),), {"n": 2}, {"p": Point(3)}
    )
    assert as_json(plain) == {
        "colour": "red",
        "path": "a/b",
        "at": "1970-01-01T00:00:01.500Z",
        "until": None,
        "names": ["x"],
        "points": [{"x": 1, "y": 0.5}],
        "by_name": {"n": 2},
        "points_by_name": {"p": {"x": 3, "y": 0.5}},
    }


def test_the_fields_of_an_inlined_record_stand_in_its_place() -> None:
    class Drawn(NamedTuple):
        """A point that is drawn."""

        name: str
        point: Annotated[Point, Mark.INLINE]
        colour: Colour

    assert list(as_json(Drawn("a", Point(1), Colour.RED))) == ["name", "x", "y", "colour"]


def test_a_field_can_be_left_out() -> None:
    class Flat(NamedTuple):
        """Points without their height."""

        points: tuple[Annotated[Point, without("y")], ...]

    assert as_json(Flat((Point(1),))) == {"points": [{"x": 1}]}


def test_text_that_is_empty_where_it_is_unknown_is_null() -> None:
    class Known(NamedTuple):
        """A name, if it is known."""

        name: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
        note: str

    assert as_json(Known("", "")) == {"name": None, "note": ""}
    assert as_json(Known("a", "b")) == {"name": "a", "note": "b"}


def test_a_record_of_one_of_several_types_is_written_as_what_it_is() -> None:
    class Figure(NamedTuple):
        """A point or a segment."""

        what: Point | Segment | None

    assert as_json(Figure(Point(1))) == {"what": {"x": 1, "y": 0.5}}
    assert as_json(Figure(None)) == {"what": None}


@pytest.mark.parametrize("kind", [bytes, complex, tuple[int, int], Path | Colour])
def test_a_type_that_has_no_form_in_json_is_refused_and_not_guessed(kind: Any) -> None:
    odd: Any = NamedTuple("odd", [("x", kind)])
    with pytest.raises(TypeError):
        as_json(odd(1))


def test_a_number_has_the_decimals_that_were_measured_and_no_more() -> None:
    assert as_json(Point(1, 143.79941946499977)) == {"x": 1, "y": 143.799419}
    assert as_json(Point(1, 0.1 + 0.2)) == {"x": 1, "y": 0.3}
