"""Faults: events and records that the contract must refuse, one of each way that a broken writer may produce them.

Each carries an ordering key of its own (``session:chaos-…``).
"""

import functools
from collections import Counter
from typing import Any, Final, NamedTuple

import msgspec
import zstandard

from codewave.client.identity import RANDOM_BITS, uuid7
from codewave.contract.frame import Header, frame
from codewave.contract.limits import DEFAULT_LIMITS, MIB
from codewave.contract.reasons import Reason
from codewave.workload.ids import random_for, token_for

MALFORMED: Final = {
    "cut_json": Reason.NOT_JSON,
    "not_utf8": Reason.NOT_UTF8,
    "missing_field": Reason.SCHEMA_VIOLATION,
    "wrong_field_type": Reason.SCHEMA_VIOLATION,
    "negative_sequence": Reason.SCHEMA_VIOLATION,
    "unknown_type": Reason.UNKNOWN_TYPE,
    "unknown_version": Reason.UNKNOWN_VERSION,
    "wrong_room": Reason.WRONG_ROOM,
    "wrong_ordering_key": Reason.WRONG_ORDERING_KEY,
}
"""Way in which an event is malformed → the reason it must be refused with."""

CORRUPT: Final = {
    "bad_header": Reason.BAD_FRAME,
    "wrong_count": Reason.BAD_FRAME,
    "broken_zstd": Reason.DECOMPRESSION_FAILED,
    "cut_zstd": Reason.DECOMPRESSION_FAILED,
    "bomb": Reason.DECOMPRESSION_BOMB,
}
"""Way in which a record is corrupt → the reason it must be refused with."""

_OVERSIZED_FACTOR: Final = 3
_encode = msgspec.json.Encoder().encode


class Fault(NamedTuple):
    """Something to send that must be refused."""

    data: bytes
    whole_record: bool


class FaultSource:
    """Makes faults, determined by the seed, and counts the reasons that they must be refused with."""

    def __init__(self, seed: object, event_bytes: int) -> None:
        self.reasons: Counter[str] = Counter()
        """Expected in quarantine, by reason."""
        self._token = token_for(seed, "chaos")
        self._random = random_for(seed, "faults")
        self._event_bytes = event_bytes
        self._made = 0

    def malformed(self, room_id: str, now_ms: int) -> Fault:
        """An event that breaks the contract in one of the ways of :data:`MALFORMED`."""
        way = self._random.choice(tuple(MALFORMED))
        self.reasons[MALFORMED[way]] += 1
        event = self._event(room_id, now_ms)
        return Fault(_malform(way, event), whole_record=False)

    def oversized(self, room_id: str, now_ms: int) -> Fault:
        """A whole event above the size limit."""
        self.reasons[Reason.TOO_LARGE] += 1
        size = self._random.randrange(self._event_bytes, self._event_bytes * _OVERSIZED_FACTOR)
        return Fault(_encode(self._event(room_id, now_ms, "x" * size)), whole_record=False)

    def corrupt(self, room_id: str, now_ms: int) -> Fault:
        """A record that cannot be taken apart, in one of the ways of :data:`CORRUPT`."""
        way = self._random.choice(tuple(CORRUPT))
        self.reasons[CORRUPT[way]] += 1
        line = _encode(self._event(room_id, now_ms))
        header = Header(1, room_id, 1, "zstd", f"chaos-{self._token}", self._made, now_ms)
        return Fault(_corrupt(way, header, line), whole_record=True)

    def _event(self, room_id: str, now_ms: int, text: str = "not meant to be stored") -> dict[str, Any]:
        self._made += 1
        session_id = f"chaos-{self._token}-{self._made}"
        return {
            "type": "chat.posted",
            "event_id": uuid7(now_ms, self._random.getrandbits(RANDOM_BITS)),
            "version": 1,
            "room_id": room_id,
            "session_id": session_id,
            "user_id": "chaos",
            "ordering_key": f"session:{session_id}",
            "sequence": 1,
            "occurred_at": now_ms,
            "received_at": now_ms,
            "payload": {"text": text},
        }


def _malform(way: str, event: dict[str, Any]) -> bytes:
    changes: dict[str, dict[str, Any]] = {
        "missing_field": {"payload": {}},
        "wrong_field_type": {"occurred_at": "just now"},
        "negative_sequence": {"sequence": -1},
        "unknown_type": {"type": "chat.shouted"},
        "unknown_version": {"version": 99},
        "wrong_room": {"room_id": "chaos-elsewhere"},
        "wrong_ordering_key": {"ordering_key": event["ordering_key"].replace("session:", "document:")},
    }
    data = _encode(event | changes.get(way, {}))
    if way == "cut_json":
        return data[: len(data) * 2 // 3]
    return data.replace(b"meant", b"me\xff\xfent") if way == "not_utf8" else data


def _corrupt(way: str, header: Header, line: bytes) -> bytes:
    if way == "bad_header":
        return frame(header, [line]).replace(b'"count":1', b'"count":"one"', 1)
    if way == "wrong_count":
        return frame(header, [line]).replace(b'"count":1', b'"count":7', 1)
    record = frame(header, [line])
    body_at = record.index(b"\n") + 1
    if way == "broken_zstd":
        return record[:body_at] + b"\x00\x01\x02\x03" + record[body_at + 4 :]  # no longer zstd's magic number
    return record[: body_at + (len(record) - body_at) // 2] if way == "cut_zstd" else record[:body_at] + _bomb()


@functools.cache
def _bomb() -> bytes:
    """A few KB of zstd that become more than a record may hold; its size is not declared."""
    compressor = zstandard.ZstdCompressor().compressobj()
    blanks = b" " * MIB
    chunks = [compressor.compress(blanks) for _ in range(DEFAULT_LIMITS.decompressed_bytes // MIB + 1)]
    return b"".join([*chunks, compressor.flush()])
