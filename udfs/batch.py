"""The quick way through validation: a record's events decoded and checked together.

What :mod:`udfs.decode` checks event by event is checked here column by column, at a fraction of the price. That needs
every event of the record to be good; where one is not, the answer is ``None``, and the events go one by one, which
tells what is wrong with which. Both ways accept the same events: ``tests/udfs/test_batch.py``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from codewave.contract import events as e
from codewave.contract.frame import FrameError, Header, open_record
from codewave.contract.limits import Limits
from udfs.decode import is_id, key_agrees, openings
from udfs.sequence import FINGERPRINT_BYTES

_T = TypeVar("_T")
_UUID_CHARACTERS: Final = 36
"""As the decoder has checked."""
_UUID_BYTES: Final = 16
_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")
_VARIANT: Final = "89ab"
"""What the second half of a UUID may begin with: the variant bits of RFC 9562."""
_OLDEST_LATEST: Final = min(e.LATEST_VERSIONS.values())
"""The latest version of the type that has the fewest."""


class Columns(NamedTuple):
    """The envelopes of a record's events, field by field: one pass in C over events of mixed types."""

    event_id: tuple[str, ...]
    version: tuple[int, ...]
    room_id: tuple[str, ...]
    session_id: tuple[str, ...]
    user_id: tuple[str, ...]
    ordering_key: tuple[str, ...]
    sequence: tuple[int, ...]
    occurred_at: tuple[int, ...]
    received_at: tuple[int, ...]
    payload: tuple[Any, ...]


class Batch(Struct, gc=False):
    """Events of one room, each as the contract wants it, in the order in which they came."""

    header: Header
    body: bytes
    """A line for each event."""
    events: list[e.AnyEvent]
    columns: Columns
    """The same events."""
    fingerprints: list[bytes]
    """The 8 random bytes of each ``event_id``."""
    by_type: dict[str, list[Any]]
    """The same events, by the name of their type."""
    positions: dict[str, list[int]]
    """Ordering key → where its events are in the record."""
    _lines: list[bytes] | None = None

    def line(self, position: int) -> bytes:
        """The bytes of one event."""
        if self._lines is None:
            self._lines = self.body.split(b"\n")
        return self._lines[position]


def read_batch(record: bytes, room_id: str, limits: Limits) -> Batch | None:
    """Decode the events of a record of ``room_id``.

    :returns: ``None`` where the record or one of its events is to be refused, or may be, and where it has no header.
    """
    try:
        header, body = open_record(record, limits)
    except FrameError:
        return None
    if header is None or header.room_id != room_id or not _is_cut_well(body, header.count, limits.event_bytes):
        return None
    events = _decode_all(body, limits)
    if events is None or len(events) != header.count:
        return None
    columns = columns_of(events)
    fingerprints = fingerprints_of(columns.event_id)
    if fingerprints is None or not _belong(columns, room_id):
        return None
    positions = places(columns.ordering_key)
    plain = all(map(_names_one_id, positions))
    by_type = {}
    for kind, where in places(map(type, events)).items():
        name = TYPE_NAMES[kind]
        same = by_type[name] = [events[place] for place in where]
        keys = [columns.ordering_key[place] for place in where]
        if not _agree(name, same, keys, plain):
            return None
    return Batch(header, body, events, columns, fingerprints, by_type, positions)


def _is_cut_well(body: bytes, count: int, longest: int) -> bool:
    """Whether every line break has a brace on either side, which no JSON value has within, and no line is too long.

    Then as many events as lines means one event a line.
    """
    start = 0
    for _ in range(count - 1):
        end = body.find(b"\n", start)
        if end < 1 or end - start > longest or body[end - 1] != _CLOSING or body[end + 1] != _OPENING:
            return False
        start = end + 1
    return 0 < len(body) - start <= longest and body.find(b"\n", start) < 0


def _decode_all(body: bytes, limits: Limits) -> list[e.AnyEvent] | None:
    try:
        return _decode_known(body)
    except msgspec.DecodeError:
        pass  # a field that a newer writer added, which may hold anything; or something is wrong
    except (UnicodeDecodeError, RecursionError):
        return None
    if any(openings(line) > limits.nesting for line in body.split(b"\n")):
        return None
    try:
        return _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def columns_of(events: list[e.AnyEvent]) -> Columns:
    """The envelopes of events, of which there is at least one."""
    return Columns(*zip(*map(astuple, events), strict=True))


def _belong(columns: Columns, room_id: str) -> bool:
    if columns.room_id.count(room_id) != len(columns.room_id) or max(columns.version) > _OLDEST_LATEST:
        return False
    return all(map(is_id, {room_id, *columns.session_id, *columns.user_id}))


def places(values: Iterable[_T]) -> dict[_T, list[int]]:
    """Where each value is."""
    found: dict[_T, list[int]] = {}
    for place, value in enumerate(values):
        if value in found:
            found[value].append(place)
        else:
            found[value] = [place]
    return found


@lru_cache(maxsize=65_536)  # as is_id
def _names_one_id(key: str) -> bool:
    """Whether all that follows an ordering key's scope is one id: no writer's behind it."""
    return is_id(key.partition(":")[2])


def fingerprints_of(event_ids: Sequence[str]) -> list[bytes] | None:
    """The fingerprints of UUIDs of 36 characters each; ``None`` where one is not a UUIDv7 in lower-case hex."""
    count = len(event_ids)
    text = "".join(event_ids)
    dashes = text[8::_UUID_CHARACTERS] == text[13::_UUID_CHARACTERS] == text[18::_UUID_CHARACTERS] == "-" * count
    if not dashes or text[23::_UUID_CHARACTERS] != "-" * count or text[14::_UUID_CHARACTERS] != "7" * count:
        return None
    if text[19::_UUID_CHARACTERS].strip(_VARIANT):
        return None
    digits = text.replace("-", "")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    if raw.hex() != digits:  # upper case, or the blanks that fromhex skips
        return None
    return [raw[at : at + FINGERPRINT_BYTES] for at in range(FINGERPRINT_BYTES, count * _UUID_BYTES, _UUID_BYTES)]


def group_by_type(events: list[e.AnyEvent]) -> dict[str, list[Any]]:
    """The same events, by the name of their type, in their order."""
    return {TYPE_NAMES[kind]: [events[place] for place in where] for kind, where in places(map(type, events)).items()}


# CPython remembers, for each place in the code, where one class has an attribute: edits, which are half of all events,
# get a place of their own.
def _edited_ids(events: list[Any]) -> list[Any]:
    return [event.payload.document_id for event in events]


def _document_ids(events: list[Any]) -> list[Any]:
    return [event.payload.document_id for event in events]


def _execution_ids(events: list[Any]) -> list[Any]:
    return [event.payload.execution_id for event in events]


def _worker_ids(events: list[Any]) -> list[Any]:
    return [event.payload.worker_id for event in events]


def _session_ids(events: list[Any]) -> list[Any]:
    return [event.session_id for event in events]


class _Naming(NamedTuple):
    """Where events of a type have their ids."""

    scope: str
    """What their ordering key begins with."""
    named: Callable[[list[Any]], list[Any]]
    """The ids that these have to name."""
    more: Sequence[Callable[[list[Any]], list[Any]]]
    """Other ids in the payload, which may be absent."""


def _naming(name: str, kind: type[e.Event]) -> _Naming:
    ids = {"document_id": _document_ids, "execution_id": _execution_ids, "worker_id": _worker_ids}
    own = {"document": "document_id", "execution": "execution_id"}.get(name.partition(".")[0], "session_id")
    fields = get_type_hints(kind)["payload"].__struct_fields__
    more = [read for field, read in ids.items() if field in fields and field != own]
    named = _edited_ids if name == "document.edited" else ids.get(own, _session_ids)
    return _Naming(own.removesuffix("id").replace("_", ":"), named, more)


_NAMING: Final = {name: _naming(name, kind) for name, kind in e.EVENT_TYPES.items()}


def _agree(name: str, events: list[Any], keys: list[str], plain: bool) -> bool:
    """Whether each event counts along the key that its type demands, and all other ids of it are ids.

    :param keys: the ordering keys of these events.
    :param plain: whether each key is a scope and an id; else some have a writer's id behind it, or are no keys.
    """
    scope, named, more = _NAMING[name]
    ids = named(events)
    wanted = [scope + one for one in ids]
    if plain:
        if keys != wanted:
            return False
    elif not all(map(key_agrees, keys, wanted)) or not all(map(is_id, set(ids))):
        return False
    for read in more:
        if not all(map(is_id, set(read(events)) - {None})):
            return False
    if name == "document.edited":
        concurrent = [event.payload.parents for event in events if event.payload.parents]
        return all(is_id(writer) for parents in concurrent for writer, _ in parents)
    if name == "chat.posted":
        answered = [event.payload.reply_to for event in events if event.payload.reply_to is not None]
        return fingerprints_of(answered) is not None
    return True


def _known_fields_only(kind: type[e.Event]) -> type[e.Event]:
    """The type without room for fields that it does not name: what decodes to it is no deeper than its own fields."""
    payload = get_type_hints(kind)["payload"]
    strict = msgspec.defstruct(payload.__name__, [], bases=(payload,), forbid_unknown_fields=True, gc=False)
    return msgspec.defstruct(  # type: ignore[return-value]  # a Struct with the bases given
        kind.__name__,
        [("payload", strict)],
        bases=(kind,),
        tag=kind.__struct_config__.tag,
        forbid_unknown_fields=True,
        gc=False,
    )


def _union(kinds: Iterable[type[e.Event]]) -> Any:
    union: Any = None
    for kind in kinds:
        union = kind if union is None else union | kind
    return union


_KNOWN: Final = {name: _known_fields_only(kind) for name, kind in e.EVENT_TYPES.items()}
_decode_known: Callable[[bytes], list[e.AnyEvent]] = msgspec.json.Decoder(_union(_KNOWN.values())).decode_lines
_decode_any: Callable[[bytes], list[e.AnyEvent]] = msgspec.json.Decoder(e.AnyEvent).decode_lines

TYPE_NAMES: Final[dict[type, str]] = {kind: name for kinds in (e.EVENT_TYPES, _KNOWN) for name, kind in kinds.items()}
"""Class of a decoded event → the name of its type."""
EXECUTION_EVENTS: Final = frozenset(kind for kind, name in TYPE_NAMES.items() if name.startswith("execution."))
"""Classes of the events that belong to an execution."""
