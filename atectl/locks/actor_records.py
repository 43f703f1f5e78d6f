"""Actor and worker records, in every form in which the systems that run actors store them.

They are protobuf JSON: zero fields are absent, 64-bit integers are strings, enums are names. Older
records are flat. Newer ones keep names under `metadata` and the state under `status`. A value that
is no such JSON is decoded to a record that says so.
"""

import json
from typing import Annotated, Any, NamedTuple

from atectl.records.types import Mark

UNDECODABLE = "undecodable"
UNSPECIFIED = "UNSPECIFIED"

TRANSITIONAL = frozenset({"RESUMING", "SUSPENDING", "PAUSING", "DELETING", "REVERTING"})
"""The states of an actor in an operation, which may be under way or have been broken off."""

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


Known = Annotated[str, Mark.EMPTY_IS_UNKNOWN]
"""Text that is empty where a record does not say it."""


class ActorRecord(NamedTuple):
    """What an actor's record says. Times are as written."""

    status: str
    """Its state without the prefix, such as `RUNNING`; `undecodable` where that cannot be read."""
    template: Known = ""
    """The template that it was made from, as `namespace/name`."""
    name: Known = ""
    """Its name."""
    atespace: Known = ""
    """Its atespace."""
    uid: Known = ""
    """Its unique id."""
    version: Known = ""
    """The version of the record."""
    pod_namespace: Known = ""
    """The namespace of the pod that it is on."""
    pod: Known = ""
    """The name of that pod."""
    pod_ip: Known = ""
    """The address of that pod."""
    pod_uid: Known = ""
    """The unique id of that pod."""
    pool: Known = ""
    """The pool of workers that the pod belongs to."""
    in_progress_snapshot: Known = ""
    """The snapshot that is being taken of it."""
    created_at: Known = ""
    """When it was made."""
    updated_at: Known = ""
    """When the record was last written."""

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
    """What a worker's record says."""

    is_decodable: bool
    """Whether the record could be read."""
    namespace: Known = ""
    """The namespace of its pod."""
    pool: Known = ""
    """The pool that it belongs to."""
    pod: Known = ""
    """The name of its pod."""
    pod_uid: Known = ""
    """The unique id of its pod."""
    node: Known = ""
    """The machine that its pod is on."""
    ip: Known = ""
    """The address of its pod."""
    version: Known = ""
    """The version of the record."""
    actor_atespace: Known = ""
    """The atespace of the actor that it runs."""
    actor: Known = ""
    """The id of the actor that it runs."""


def decode_actor(value: bytes) -> ActorRecord:
    """The actor's record in these bytes. Never raises: see `UNDECODABLE`."""
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
    """These fields as text. A missing field is empty; a nested message is compact JSON."""
    values = map(fields.get, names)
    return [value if isinstance(value, str) else _as_text(value) for value in values]


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def _state(value: Any) -> str:
    if value is None or isinstance(value, dict):
        # The zero value of an enum is not written.
        return UNSPECIFIED
    text = str(value)
    for prefix in _STATE_PREFIXES:
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    return text
