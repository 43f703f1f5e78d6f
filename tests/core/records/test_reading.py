"""Tables of somebody else's are read strictly, and a fault says where it is and what helps."""

from typing import Any, NamedTuple

import pytest

from atectl.errors import BadSize
from atectl.records.readers import by_name, filled, listed, read_as, size, text, values_of, whole
from atectl.records.reading import (
    Fault,
    Field,
    Place,
    Table,
    checked,
    part_of,
    shown,
)


class Crate(NamedTuple):
    """A crate."""

    name: str
    size_bytes: int = 7


class Sender(NamedTuple):
    """Who sent it."""

    place: str = "nowhere"


CRATE_FIELDS = (Field("name", filled, is_required=True), Field("size", size, "size_bytes"))
CRATE = Table(Crate, fields=CRATE_FIELDS)
LOADED = Table(
    Crate,
    Sender,
    fields=(*CRATE_FIELDS, Field("from", text, "place"), Field("tags", listed(text, "texts"))),
)
SHIP = Table(fields=(Field("crates", listed(read_as(Crate, CRATE), "crates")),))


def fault_in(given: Any, table: Table = CRATE) -> Fault:
    with pytest.raises(Fault) as caught:
        table.values(given)
    return caught.value


def test_values_have_the_names_of_their_fields() -> None:
    assert CRATE.values({"size": "2KiB", "name": "a"}) == {"name": "a", "size_bytes": 2048}


def test_what_is_not_said_is_not_there_so_that_each_record_has_its_own_default() -> None:
    assert CRATE.values({"name": "a"}) == {"name": "a"}


def test_a_table_can_have_the_fields_of_several_records() -> None:
    values = LOADED.values({"name": "a", "from": "Oslo"})
    assert Crate(**part_of(values, Crate)) == Crate("a")
    assert Sender(**part_of(values, Sender)) == Sender("Oslo")


def test_an_unknown_key_is_named_with_the_nearest_that_is_known() -> None:
    assert str(fault_in({"nam": "a"})) == "unknown key 'nam'; did you mean name?"


def test_a_table_may_take_keys_that_it_does_not_know() -> None:
    open_table = Table(Crate, fields=CRATE_FIELDS, takes_others=True)
    assert open_table.values({"name": "a", "colour": 3}) == {"name": "a"}


def test_a_key_that_is_required_is_missed() -> None:
    fault = fault_in({"size": 1})
    assert (str(fault), fault.remedy) == ("name is missing", "add the key name")


@pytest.mark.parametrize("given", [3, None, [], "text"])
def test_what_is_no_table_is_refused(given: object) -> None:
    assert str(fault_in(given)).endswith("is no table of keys and values")


def test_a_fault_names_the_key_it_is_about() -> None:
    assert str(fault_in({"name": 7})) == "name: 7 is no text in quotes"


def test_an_error_of_ours_becomes_a_fault_and_keeps_its_remedy() -> None:
    fault = fault_in({"name": "a", "size": "much"})
    assert (fault.what, fault.place.key) == ("'much' is not a size", "size")
    assert fault.remedy == BadSize.default_remedy


def test_an_item_of_a_list_is_named_by_its_number() -> None:
    assert str(fault_in({"name": "a", "tags": ["x", 3]}, LOADED)).startswith("tags 2: 3 is no")


def test_a_key_of_a_table_in_a_list_is_named_with_the_way_to_it() -> None:
    fault = fault_in({"crates": [{"name": "a"}, {"name": "b", "size": 0}]}, SHIP)
    assert str(fault).startswith("crates 2: size: '0' is zero")


def test_a_fault_says_file_line_and_key() -> None:
    fault = Fault("it is odd").within("path").within(" 2").within("capsule").at(line=7)
    assert fault.at(file="a.toml").place == Place("a.toml", 7, "capsule 2: path")
    assert str(fault) == "a.toml: line 7: capsule 2: path: it is odd"


def test_what_fails_under_a_key_is_a_fault_of_that_key() -> None:
    def fail() -> None:
        raise BadSize("'x' is not a size")

    with pytest.raises(Fault, match=r"^host: 'x' is not a size$"):
        checked("host", fail)
    assert checked("host", lambda: 3) == 3


def test_a_name_that_is_a_key_is_part_of_the_way() -> None:
    named = Table(fields=(Field("crates", by_name(text, values_of(CRATE))),))
    assert named.values({"crates": {"a": {"name": "x"}}}) == {"crates": {"a": {"name": "x"}}}
    assert str(fault_in({"crates": {"a": {}}}, named)) == "crates.a: name is missing"
    assert str(fault_in({"crates": 3}, named)) == "crates: 3 is no table of names"


def test_a_key_is_repeated_no_longer_than_it_can_be_read() -> None:
    assert len(str(fault_in({"k" * 9999: 1}))) < 60


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\0b", '"a\\u0000b"'),
        ([1, "x"], '[1, "x"]'),
        ("x" * 100, '"' + "x" * 38 + "…"),
        (1 << 20_000, "a number of thousands of digits"),
    ],
    ids=["nul", "list", "long", "huge"],
)
def test_a_value_is_shown_as_json_and_cut(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "is no whole number" in str(
        fault_in({"n": deep}, Table(fields=(Field("n", whole(0, 9)),)))
    )
