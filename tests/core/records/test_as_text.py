"""JSON as text."""

import json

import pytest

from atectl.records.as_text import json_text

NESTED = {"paths": [{"na\udcffme": "a\udcff\ud800"}], "count": 1, "rest": None}


def test_bytes_that_are_not_utf8_are_spelled_out_wherever_they_are() -> None:
    expected = {"paths": [{"na\\xffme": "a\\xff\\ud800"}], "count": 1, "rest": None}
    assert json.loads(json_text(NESTED)) == expected


@pytest.mark.parametrize("text", ["é", "😀", "\\udcff", "\\\\ud83d", "a\x1b\n"])
def test_all_other_text_is_read_back_as_it_was(text: str) -> None:
    assert json.loads(json_text([text, "\udcff"])) == [text, "\\xff"]
    assert json.loads(json_text(text)) == text


@pytest.mark.parametrize("value", [{"a": [1, "é"]}, {"a": [1, "\udcff"]}])
def test_it_is_indented_or_dense_as_asked(value: object) -> None:
    assert json_text(value, indent=2).startswith('{\n  "a": [\n    1,')
    assert json_text(value, is_dense=True).startswith('{"a":[1,"')
    assert json_text(value).startswith('{"a": [1, "')
