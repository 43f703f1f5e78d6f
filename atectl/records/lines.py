"""Lines of JSON that somebody else wrote."""

import json
from typing import Any

from atectl.errors import quoted
from atectl.records.reading import Fault

_LONG_NUMBER = "Exceeds the limit"


def json_of(line: str | bytes) -> dict[str, Any]:
    """The object on a line.

    Raises:
        Fault: it is not a JSON object, names a key twice, or is nested too deeply.
    """
    try:
        found = json.loads(line, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise Fault("it is not UTF-8") from None
    except ValueError as error:
        if str(error).startswith(_LONG_NUMBER):
            raise Fault("it is no JSON that can be read: a number of thousands of digits") from None
        raise Fault(f"it is no JSON: {error}") from None
    except RecursionError:
        raise Fault("it is no JSON that can be read: nested too deeply") from None
    if not isinstance(found, dict):
        raise Fault("it is no JSON object")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these keys and values.

    Raises:
        Fault: a key is there twice. Which of the values counts would depend on who reads it.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Fault(f"the key {quoted(name)} is there twice")
            seen.add(name)
    return found
