"""Why an event was refused: reason, exact path and as much of its envelope as can be read.

Only refused events come here, so it is written for clarity of the answer, not for speed.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from codewave.contract.events import EVENT_TYPES, LATEST_VERSIONS, Event
from codewave.contract.fields import EventId, Id, Millis, OrderingKey, PersonalId, Sequence
from codewave.contract.limits import Limits
from codewave.contract.reasons import Reason

_ANY_INDEX: Final = "[...]"
"""How msgspec writes a list index in a path."""


class Envelope(Struct, gc=False):
    """The fields that place a refused event: present only when all of them are valid."""

    event_id: EventId
    type: str
    room_id: Id
    session_id: PersonalId
    user_id: PersonalId
    ordering_key: OrderingKey
    sequence: Sequence
    received_at: Millis


class Refusal(Struct, gc=False):
    """A refused event and what is known of it; ``position`` is its index in the record, -1 for the whole record."""

    reason: Reason
    path: str
    message: str
    body: bytes
    envelope: Envelope | None = None
    position: int = -1


def envelope_of(event: Event, kind: str) -> Envelope:
    """The envelope of an event of type ``kind`` that was decoded and is refused all the same."""
    return Envelope(
        event.event_id,
        kind,
        event.room_id,
        event.session_id,
        event.user_id,
        event.ordering_key,
        event.sequence,
        event.received_at,
    )


_decode_any = msgspec.json.Decoder().decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode


def read_envelope(line: bytes) -> Envelope | None:
    """The envelope of an event's bytes, or ``None`` where a field of it is missing or wrong."""
    try:
        return _decode_envelope(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def too_large(line: bytes, limit: int) -> Refusal:
    """Refuse an event of ``len(line)`` bytes, above ``limit``."""
    message = f"event of {len(line)} bytes; the limit is {limit}"
    return Refusal(Reason.TOO_LARGE, "$", message, line, read_envelope(line))


def explain(line: bytes, error: Exception, limits: Limits) -> Refusal:
    """Say why ``line`` could not be decoded as an event of the contract.

    :param error: what the decoder raised; used where no closer reason is found.
    """
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as bad:
        return Refusal(Reason.NOT_UTF8, "$", f"byte {bad.start}: {bad.reason}", line)
    try:
        value = _decode_any(line)
    except RecursionError:
        return nested_too_deep(line, limits.nesting)
    except msgspec.DecodeError as bad:
        return Refusal(Reason.NOT_JSON, "$", str(bad), line)
    if nesting(value) > limits.nesting:
        return nested_too_deep(line, limits.nesting)
    reason, path, message = _fault(value, error)
    return Refusal(reason, path, message, line, read_envelope(line))


def nested_too_deep(line: bytes, limit: int) -> Refusal:
    """Refuse an event nested deeper than ``limit``."""
    message = f"arrays and objects nested deeper than {limit}"
    return Refusal(Reason.SCHEMA_VIOLATION, "$", message, line, read_envelope(line))


def nesting(value: Any) -> int:
    """Depth of arrays and objects in a decoded JSON value; 0 for a scalar."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _fault(value: Any, error: Exception) -> tuple[Reason, str, str]:
    if not isinstance(value, dict):
        return Reason.SCHEMA_VIOLATION, "$", "an event is a JSON object"
    kind, version = value.get("type"), value.get("version")
    if not isinstance(kind, str):
        return Reason.SCHEMA_VIOLATION, "$.type", "`type` is missing or not a string"
    if kind not in EVENT_TYPES:
        return Reason.UNKNOWN_TYPE, "$.type", f"no event type {kind[:64]!r}"
    if isinstance(version, int) and version > LATEST_VERSIONS[kind]:
        return Reason.UNKNOWN_VERSION, "$.version", f"no version {version} of {kind}"
    try:
        msgspec.convert(value, EVENT_TYPES[kind])
    except msgspec.ValidationError as bad:
        message, path = _split(str(bad))
        return Reason.SCHEMA_VIOLATION, _exact_path(value, EVENT_TYPES[kind], path), message
    return Reason.SCHEMA_VIOLATION, "$", str(error)


def _split(text: str) -> tuple[str, str]:
    message, _, path = text.partition(" - at `")
    path = path.removesuffix("`") or "$"
    missing = message.partition("missing required field `")[2]
    return message, f"{path}.{missing.removesuffix('`')}" if missing else path


def _exact_path(value: dict[str, Any], struct: type, path: str) -> str:
    """Replace each ``[...]`` of msgspec's path by the index of the first bad element."""
    while _ANY_INDEX in path:
        head, _, tail = path.partition(_ANY_INDEX)
        parent, name = _parent(value, head)
        items = parent[name]
        low, high = 1, len(items)
        while low < high:  # the shortest prefix of the list that still fails the same way
            middle = (low + high) // 2
            parent[name] = items[:middle]
            low, high = (low, middle) if _fails_below(value, struct, head) else (middle + 1, high)
        parent[name] = items
        path = f"{head}[{low - 1}]{tail}"
    return path


def _fails_below(value: dict[str, Any], struct: type, head: str) -> bool:
    try:
        msgspec.convert(value, struct)
    except msgspec.ValidationError as bad:
        return head + _ANY_INDEX in str(bad)
    return False


def _parent(value: Any, path: str) -> tuple[Any, Any]:
    """The container and key that ``path`` (``$.a.b[0].c``) ends at."""
    names = path.removeprefix("$").replace("[", ".[").split(".")[1:]
    steps: list[Any] = [int(name[1:-1]) if name.startswith("[") else name for name in names]
    for step in steps[:-1]:
        value = value[step]
    return value, steps[-1]
