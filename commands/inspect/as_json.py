"""An inspection as JSON: its records are objects with the same keys."""

from typing import Any

from atectl.capsule.inspection import Inspection


def as_json(inspection: Inspection) -> dict[str, Any]:
    """The inspection as an object, whatever is in it too."""
    found: dict[str, Any] = _plain(inspection)
    return found


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {key: _plain(each) for key, each in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
