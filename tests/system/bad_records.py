"""Records that the contract refuses, one per reason, each with good neighbours where a record can have any."""

import json
from typing import NamedTuple

import example_rooms as rooms
import zstandard

from codewave.contract.frame import Header, frame

NOT_UTF8 = rooms.encode(rooms.chat(90, "é")).replace("é".encode(), b"\xe9")


class Refused(NamedTuple):
    """What is refused, and as what: the bytes that must be found in quarantine, whole."""

    reason: str
    path: str
    body: bytes
    record: bytes
    neighbours: int


def bad_events() -> list[tuple[str, str, bytes]]:
    """Reason, path and bytes of events that are refused alone."""
    chat = json.loads(rooms.encode(rooms.chat(91)))
    edit = json.loads(rooms.encode(rooms.edit(91, document="bad-doc")))
    edit["payload"]["patches"] = [[0, 0, "a"], [1, 0, "b"], [2, 0, "c"], ["three", 0, "d"]]
    return [
        ("not_utf8", "$", NOT_UTF8),
        ("not_json", "$", b'{"type":"chat.posted",'),
        ("too_large", "$", rooms.encode(rooms.chat(92, "x" * 5000, by=rooms.Writer("eve", "tab-large")))),
        ("unknown_type", "$.type", line(chat | {"type": "chat.deleted", "ordering_key": "session:tab-a"})),
        ("unknown_version", "$.version", line(chat | {"version": 7, "ordering_key": "session:tab-b"})),
        ("schema_violation", "$.payload.patches[3][0]", line(edit)),
        ("wrong_room", "$.room_id", line(chat | {"room_id": "room-8"})),
        ("wrong_ordering_key", "$.ordering_key", line(chat | {"ordering_key": "session:somebody-else"})),
    ]


def bad_records() -> list[tuple[str, bytes]]:
    """Reason and bytes of records that are refused whole."""
    good = rooms.record([rooms.chat(1, by=rooms.Writer("eve", "tab-corrupt"))])
    header = frame(Header(1, rooms.ROOM, 1, "zstd", "c", 1, rooms.START_MS), [b"{}"]).split(b"\n", 1)[0]
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(b"\n" * (17 * 1024 * 1024))
    return [
        ("bad_frame", b'{"v":1,"room_id":"room-7","count":"many"}\n'),
        ("decompression_failed", good[:-5]),
        ("decompression_bomb", header + b"\n" + bomb),
    ]


def refused() -> list[Refused]:
    """Every refusal that one record can show; bad events stand between two good ones of a session of their own."""
    found = []
    for number, (reason, path, body) in enumerate(bad_events()):
        writer = rooms.Writer("ada", f"tab-{number}")
        first, second = rooms.chat(1, "before", by=writer), rooms.chat(2, "after", by=writer)
        lines = [rooms.encode(first), body, rooms.encode(second)]
        header = Header(1, rooms.ROOM, 3, "zstd", "tests", number + 1, rooms.START_MS)
        found.append(Refused(reason, path, body, frame(header, lines), 2))
    found += [Refused(reason, "$", record, record, 0) for reason, record in bad_records()]
    return found


def conflict() -> Refused:
    """Another event in a place that is taken."""
    writer = rooms.Writer("ada", "tab-conflict")
    other = rooms.chat(1, "other", by=writer, event_id=rooms.uuid7("other", 1))
    record = rooms.record([rooms.chat(1, "first", by=writer), other, rooms.chat(2, "second", by=writer)])
    return Refused("sequence_conflict", "$.sequence", rooms.encode(other), record, 2)


def line(event: dict) -> bytes:
    return json.dumps(event).encode()
