"""Records come back from their JSON as they were, and nothing else becomes one."""

from typing import Annotated, Any, Literal, NamedTuple

import pytest

from atectl.records.as_json import as_json
from atectl.records.from_json import NotOfThisKind, from_json


class Inner(NamedTuple):
    name: str
    size: int | None


class Outer(NamedTuple):
    kind: Literal["one", "two"]
    seconds: float
    inner: Annotated[Inner, "some mark"]
    others: tuple[Inner, ...]
    is_so: bool
    maybe: Inner | None


WHOLE = Outer("one", 1.5, Inner("a", None), (Inner("b", 2), Inner("c", 3)), True, None)


def test_a_record_comes_back_as_it_was() -> None:
    assert from_json(Outer, as_json(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "three"},
        {"seconds": "1.5"},
        {"inner": None},
        {"inner": {"name": "a"}},
        {"others": {}},
        {"others": [1]},
        {"is_so": 1},
        {"maybe": 3},
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotOfThisKind):
        from_json(Outer, as_json(WHOLE) | change)


def test_a_field_that_is_not_there_is_named() -> None:
    found = as_json(WHOLE)
    del found["seconds"]
    with pytest.raises(NotOfThisKind, match="'seconds' is missing"):
        from_json(Outer, found)
