"""Actor and worker records as the systems that write them store them, of every generation.

They are protobuf JSON: zero fields are absent, 64-bit integers are strings, enums go by name.
Older records are flat; newer ones keep names under `metadata` and the state under `status`. What
is no such JSON decodes too, as a record that says so.
"""

import json
from typing import Any, NamedTuple

UNDECODABLE = "undecodable"
UNSPECIFIED = "UNSPECIFIED"

TRANSITIONAL = frozenset({"RESUMING", "SUSPENDING", "PAUSING", "DELETING", "REVERTING"})
"""The states in which an operation is under way, or broke off."""

_STATE_PREFIXES = ("ACTOR_STATE_", "STATUS_")

_ACTOR_FIELDS = (
    "actorTemplateNamespace",
    "actorTemplateName",
    "actorId",
    "name",
    # From here on in the order of ActorRecord.
    "atespace",
    "uid",
    "version",
    "ateomPodNamespace",
    "ateomPodName",
    "ateomPodIp",
    "ateomPodUid",
    "workerPoolName",
    "inProgressSnapshot",
    "createTime",
    "updateTime",
)
_WORKER_FIELDS = (
    "workerNamespace",
    "workerPool",
    "workerPod",
    "workerPodUid",
    "nodeName",
    "ip",
    "version",
    "actorAtespace",
    "actorId",
)


class ActorRecord(NamedTuple):
    """What an actor's record says. Text is empty where it says nothing.

    `status` is a state without its prefix (`RUNNING`), or `undecodable`. Times are as written.
    """

    status: str
    template: str = ""
    name: str = ""
    atespace: str = ""
    uid: str = ""
    version: str = ""
    pod_namespace: str = ""
    pod: str = ""
    pod_ip: str = ""
    pod_uid: str = ""
    pool: str = ""
    in_progress_snapshot: str = ""
    created_at: str = ""
    updated_at: str = ""

    @property
    def is_decodable(self) -> bool:
        return self.status != UNDECODABLE

    @property
    def is_transitional(self) -> bool:
        return self.status in TRANSITIONAL

    @property
    def worker(self) -> str:
        """The pod it is on, as `namespace/pod`; empty if it is on none."""
        return "/".join(part for part in (self.pod_namespace, self.pod) if part)


class WorkerRecord(NamedTuple):
    """What a worker's record says. Text is empty where it says nothing."""

    is_decodable: bool
    namespace: str = ""
    pool: str = ""
    pod: str = ""
    pod_uid: str = ""
    node: str = ""
    ip: str = ""
    version: str = ""
    actor_atespace: str = ""
    actor: str = ""


def decode_actor(value: bytes) -> ActorRecord:
    """The actor's record in these bytes; `undecodable` if they are none. Never raises."""
    fields = _fields(value)
    if fields is None:
        return ActorRecord(UNDECODABLE)
    status = _table(fields, "status")
    state = status.get("state") if status else fields.get("status")
    merged = status | _table(fields, "metadata") | fields
    namespace, template, name, other_name, *rest = _texts(merged, _ACTOR_FIELDS)
    templated = "/".join(part for part in (namespace, template) if part)
    return ActorRecord(_state(state), templated, name or other_name, *rest)


def decode_worker(value: bytes) -> WorkerRecord:
    """The worker's record in these bytes. Never raises."""
    fields = _fields(value)
    if fields is None:
        return WorkerRecord(is_decodable=False)
    merged = _table(fields, "status") | _table(fields, "metadata") | fields
    return WorkerRecord(True, *_texts(merged, _WORKER_FIELDS))


def _fields(value: bytes) -> dict[str, Any] | None:
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _table(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _texts(fields: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    """These fields as text: empty if one is not there, a message within as compact JSON."""
    values = map(fields.get, names)
    return [value if isinstance(value, str) else _as_text(value) for value in values]


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def _state(value: Any) -> str:
    if value is None or isinstance(value, dict):
        # The zero of an enum is left out.
        return UNSPECIFIED
    text = str(value)
    for prefix in _STATE_PREFIXES:
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    return text
