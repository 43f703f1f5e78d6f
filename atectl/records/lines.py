"""Lines of JSON that somebody else wrote."""

import json
from typing import Any

from atectl.records.reading import Fault


def json_of(line: str | bytes) -> dict[str, Any]:
    """The object on a line.

    Raises:
        Fault: it is no JSON object, or nested too deeply.
    """
    try:
        found = json.loads(line)
    except UnicodeDecodeError:
        raise Fault("it is not UTF-8") from None
    except ValueError as error:
        raise Fault(f"it is no JSON: {error}") from None
    except RecursionError:
        raise Fault("it is no JSON that can be read: nested too deeply") from None
    if not isinstance(found, dict):
        raise Fault("it is no JSON object")
    return found
