"""Decode and validate: from an event's bytes to an event of the contract, or to a refusal."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from codewave.contract.events import (
    LATEST_VERSIONS,
    AnyEvent,
    ChatPosted,
    DocumentEdited,
    Event,
)
from codewave.contract.limits import Limits
from codewave.contract.reasons import Reason
from udfs.refusal import Refusal, envelope_of, explain, nested_too_deep, nesting, too_large

_decode: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode
_decode_any = msgspec.json.Decoder().decode

_UUIDS: Final = frozenset({"$.event_id", "$.payload.reply_to"})


class Decoder:
    """Decodes the events of one record of ``room_id``; remembers which ids it has already checked in it."""

    __slots__ = ("_good_ids", "_largest", "_limits", "_plain_limit", "_room_id")

    def __init__(self, room_id: str, limits: Limits) -> None:
        self._room_id = room_id
        self._limits = limits
        self._plain_limit = limits.event_bytes
        self._largest = limits.largest_event_bytes()
        self._good_ids: set[str] = set()

    def decode(self, line: bytes) -> tuple[AnyEvent, bytes] | Refusal:
        """Decode one event.

        :returns: the event with its fingerprint (the 8 random bytes of its UUIDv7, which every retry keeps), or why
            it is refused.
        """
        if len(line) > self._largest:
            return too_large(line, self._largest)
        try:
            event = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return explain(line, error, self._limits)
        if len(line) > self._plain_limit and len(line) > self._limit_of(event):
            return too_large(line, self._limit_of(event))
        if openings(line) > self._limits.nesting and nesting(_decode_any(line)) > self._limits.nesting:
            return nested_too_deep(line, self._limits.nesting)
        return self._check(event, line)

    def _check(self, event: AnyEvent, line: bytes) -> tuple[AnyEvent, bytes] | Refusal:
        kind = event_type(event)
        if event.version > LATEST_VERSIONS[kind]:
            return _refuse(event, line, Reason.UNKNOWN_VERSION, "$.version", f"no version {event.version} of {kind}")
        fingerprint = _fingerprint(event.event_id)
        bad = "$.event_id" if fingerprint is None else self._bad_id(event)
        if fingerprint is None or bad is not None:
            message = "not a UUIDv7 in lower-case hex" if bad in _UUIDS else "an id has 1 to 64 of A-Z a-z 0-9 _ -"
            return _refuse(event, line, Reason.SCHEMA_VIOLATION, str(bad), message)
        if event.room_id != self._room_id:
            message = f"event of room {event.room_id} in a record of room {self._room_id}"
            return _refuse(event, line, Reason.WRONG_ROOM, "$.room_id", message)
        if (expected := _wrong_key(event, self._is_id)) is not None:
            message = f"{kind} counts along {expected}, not {event.ordering_key}"
            return _refuse(event, line, Reason.WRONG_ORDERING_KEY, "$.ordering_key", message)
        return event, fingerprint

    def _limit_of(self, event: Event) -> int:
        return self._limits.event_bytes_by_type.get(event_type(event), self._plain_limit)

    def _is_id(self, text: str) -> bool:
        if text in self._good_ids:
            return True
        good = is_id(text)
        if good:
            self._good_ids.add(text)
        return good

    def _bad_id(self, event: AnyEvent) -> str | None:
        good = self._good_ids
        if event.session_id not in good and not self._is_id(event.session_id):
            return "$.session_id"
        if event.user_id not in good and not self._is_id(event.user_id):
            return "$.user_id"
        if event.room_id not in good and not self._is_id(event.room_id):
            return "$.room_id"
        for name in ("document_id", "execution_id", "worker_id"):
            value = getattr(event.payload, name, None)
            if value is not None and value not in good and not self._is_id(value):
                return f"$.payload.{name}"
        if event.__class__ is ChatPosted and not _is_event_id(event.payload.reply_to):
            return "$.payload.reply_to"
        return self._bad_parent(event) if event.__class__ is DocumentEdited else None

    def _bad_parent(self, event: AnyEvent) -> str | None:
        for index, (writer, _) in enumerate(getattr(event.payload, "parents", None) or ()):
            if not self._is_id(writer):
                return f"$.payload.parents[{index}][0]"
        return None


def decode_accepted(line: bytes) -> AnyEvent:
    """Decode an event again that has been validated before it began to wait."""
    return _decode(line)


def openings(line: bytes) -> int:
    """How many arrays and objects open in an event's bytes, brackets in its texts counted too: nesting is no deeper."""
    return line.count(b"{") + line.count(b"[")


def event_type(event: Event) -> str:
    """The event's type name, such as ``document.edited``."""
    return event.__struct_config__.tag  # type: ignore[return-value]


@lru_cache(maxsize=65_536)  # the same rooms, people and documents come again and again
def is_id(text: str) -> bool:
    """Whether ``text`` matches the contract's id pattern, ``[A-Za-z0-9_-]{1,64}``."""
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def _fingerprint(event_id: str) -> bytes | None:
    if not (event_id[8] == event_id[13] == event_id[18] == event_id[23] == "-" and event_id[14] == "7"):
        return None
    digits = event_id.replace("-", "")
    if len(digits) != 32 or not digits.isascii() or not digits.isalnum() or digits != digits.lower():
        return None
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return raw[8:] if raw[8] >> 6 == 0b10 else None  # the variant bits of RFC 9562


def _is_event_id(event_id: str | None) -> bool:
    return event_id is None or _fingerprint(event_id) is not None


def _wrong_key(event: AnyEvent, is_valid_id: Callable[[str], bool]) -> str | None:
    """The ordering key that the event's type demands, where the event has another."""
    payload = event.payload
    kind = event_type(event)
    if kind.startswith("execution."):
        expected = f"execution:{payload.execution_id}"  # type: ignore[union-attr]
    elif kind.startswith("document."):
        expected = f"document:{payload.document_id}"  # type: ignore[union-attr]
    else:
        expected = f"session:{event.session_id}"
    return None if key_agrees(event.ordering_key, expected, is_valid_id) else expected


def key_agrees(key: str, expected: str, is_valid_id: Callable[[str], bool] = is_id) -> bool:
    """Whether an ordering key is the one expected, or that with a writer's id appended."""
    if key == expected:
        return True
    writer = key.removeprefix(expected + "/")
    return writer != key and is_valid_id(writer)


def _refuse(event: AnyEvent, line: bytes, reason: Reason, path: str, message: str) -> Refusal:
    return Refusal(reason, path, message, line, envelope_of(event, event_type(event)))
