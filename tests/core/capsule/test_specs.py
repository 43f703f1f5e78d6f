"""The capsule's text within a workflow spec, found as the JSON goes by."""

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule import specs
from atectl.capsule.errors import Undecodable
from atectl.capsule.specs import Spec, embedded_text, specs_in
from atectl.errors import NotWebAssembly

RECORD = {
    "id": 7,
    "workflow": "0061736d",
    "config": "threshold: 3",
    "workflow_id": "00f1",
    "workflow_name": "prices",
    "status": "active",
    "spec_type": "wasm_file",
}


def text_in(document: str | bytes, piece_bytes: int = 1 << 16) -> bytes:
    content = document.encode() if isinstance(document, str) else document
    return b"".join(embedded_text(in_pieces(content, piece_bytes)))


def in_pieces(content: bytes, piece_bytes: int) -> Iterator[bytes]:
    return (content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes))


@pytest.mark.parametrize("key", ["workflow", "Workflow", "WORKFLOW", "binary", "Binary"])
def test_the_text_is_what_stands_under_workflow_or_binary(key: str) -> None:
    assert text_in(json.dumps({key: "0061736d", "status": "active"})) == b"0061736d"


@pytest.mark.parametrize(
    "document",
    [
        {"name": "workflow", "workflow": "it"},
        {"config": {"workflow": "deeper"}, "workflow": "it"},
        {"config": ["workflow", {"binary": "deeper"}], "workflow": "it", "tail": [1, {"a": 2}]},
        {"workflow": "it", "config": '"workflow": "quoted"'},
        {"config": None, "on": True, "at": 1.5e3, "workflow": "it"},
        {"workflow": "it", "binary": None},
        {"binary": ["deeper", "still"], "workflow": "it"},
        {"binary": {"binary": ["deeper"]}, "workflow": "it"},
        {"workflow_url": "no", "binaryurl": "no", "x" * 5000: "no", "workflow": "it"},
    ],
)
def test_only_a_key_of_the_outermost_object_counts(document: dict[str, object]) -> None:
    assert text_in(json.dumps(document)) == b"it"


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
def test_the_text_is_the_same_however_the_json_is_cut_into_pieces(piece_bytes: int) -> None:
    text = 'say "hello" \\ / back\nand forth é €'
    document = json.dumps({"a": 'quo"ted\\', "workflow": text, "z": {"q": "\\"}})
    assert text_in(document, piece_bytes) == text.encode()


@given(st.text(), st.booleans(), st.integers(1, 50))
def test_any_text_comes_out_as_it_went_in(text: str, is_ascii: bool, piece_bytes: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    if any(ord(character) > 0xFFFF for character in text):
        return  # a surrogate pair is no digit: it is replaced, and refused as such
    document = json.dumps({"workflow": text}, ensure_ascii=is_ascii)
    assert text_in(document, piece_bytes) == text.encode()


@pytest.mark.parametrize(
    "document", ["{}", '{"name": "x"}', '{"workflow": null}', '{"workflow": {"binary": "x"}}']
)
def test_json_without_such_a_text_says_so(document: str) -> None:
    with pytest.raises(NotWebAssembly, match="no text under `workflow` or `binary`"):
        text_in(document)


@pytest.mark.parametrize(
    "document", ['{"workflow": "a", "binary": "b"}', '{"workflow": "a"}\n{"workflow": "b"}\n']
)
def test_one_binary_too_many_is_refused(document: str) -> None:
    with pytest.raises(Undecodable, match="several workflow specs"):
        text_in(document)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ('{"workflow": "006', "ends too early"),
        ('{"workflow": "00"', "ends too early"),
        ('{"workflow": "00"}}', "closes what was not opened"),
        ('[{"workflow": "00"}]', "a list"),
        (r'{"workflow": "\uzzzz"}', "an invalid escape"),
    ],
)
def test_what_is_no_json_is_refused(document: str, fault: str) -> None:
    with pytest.raises(Undecodable, match=fault):
        text_in(document)


def test_more_parts_than_any_spec_has_are_not_gone_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(specs, "MAX_PARTS", 1000)
    assert text_in('{"workflow": "it", "x": ' + "[" * 400 + "]" * 400 + "}") == b"it"
    with pytest.raises(Undecodable, match="more than 1000 parts"):
        text_in('{"workflow": "it", "x": ' + "[" * 500 + "]" * 500 + "}")


def test_the_specs_of_json_lines_have_their_names_and_places() -> None:
    first, other = json.dumps(RECORD), json.dumps({"status": "paused"})
    second = json.dumps({"WorkflowName": "é" * 150, "Workflow": "00"}, ensure_ascii=False)
    file = io.BytesIO(f"{first}\n{other}\n\n{second}\n".encode())
    found = list(specs_in(file))
    assert [spec.name for spec in found] == ["prices", "é" * 100]
    for spec, line in zip(found, (first, second), strict=True):
        file.seek(spec.offset)
        assert file.read(spec.size_bytes).decode() == line


@pytest.mark.parametrize(
    ("written", "name"),
    [("\\ud83d\\ude00", "\N{GRINNING FACE}"), ("\\ud83d", "\ufffd"), ("\\u00e9", "é")],
    ids=["two halves", "one half", "whole"],
)
def test_a_name_may_be_written_in_escapes(written: str, name: str) -> None:
    record = b'{"name":"%s","binary":"00"}' % written.encode()
    assert [spec.name for spec in specs_in(io.BytesIO(record))] == [name]


def test_a_spec_may_have_no_name() -> None:
    assert list(specs_in(io.BytesIO(b' {"binary":"00"}'))) == [Spec("", 1, 15)]
