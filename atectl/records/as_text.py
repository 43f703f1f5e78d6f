"""JSON as text: how a document is written for other programs."""

import json
from typing import Any

from atectl.inert import utf8_text

_SURROGATE = "\\ud"


def json_text(value: Any, *, indent: int | None = None, is_dense: bool = False) -> str:
    """What `as_json` made, as text of ASCII alone.

    Bytes that are not UTF-8, as in the name of a file, are spelled out (`\\xff`) as they are for
    people. Python would write half a character for each, and many readers refuse the whole
    document for that.

    Args:
        value: of JSON.
        indent: by how many spaces; None for one line.
        is_dense: leave out the spaces behind commas and colons.
    """
    separators = (",", ":") if is_dense else None
    text = json.dumps(value, indent=indent, separators=separators)
    if _SURROGATE not in text:
        return text
    return json.dumps(_spelled_out(value), indent=indent, separators=separators)


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return utf8_text(value)
    if isinstance(value, dict):
        return {_spelled_out(name): _spelled_out(each) for name, each in value.items()}
    return [_spelled_out(each) for each in value] if isinstance(value, list) else value
