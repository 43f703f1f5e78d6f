"""The schemas of documents, and the documents held against them."""

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from atectl.commands.schema.documents import find_document

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date-time")(lambda value: value is None or bool(_RFC_3339.fullmatch(value)))


@cache
def validator(name: str) -> Draft202012Validator:
    """What holds bodies against the schema of a document."""
    return Draft202012Validator(find_document(name).schema(), format_checker=_FORMATS)


def faults(name: str, body: Any) -> list[str]:
    """Where a body is not what its schema says, and how."""
    found = validator(name).iter_errors(body)
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}"[:300] for each in found]


def require_valid(name: str, body: Any) -> None:
    """See that a body is what its schema says."""
    assert not faults(name, body), faults(name, body)
