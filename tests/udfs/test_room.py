"""One record of a room in, typed rows out."""

import base64

import example_rooms as rooms
import pytest
import zstandard
from stream import Stream

from codewave.contract.frame import Header, frame
from udfs.rows import LAKE_OUTPUTS, OUTPUTS
from udfs.rules import Rules


def test_everything_that_happens_in_a_room_reaches_its_table():
    stream = Stream()
    stream.send(*rooms.small_room())
    counts = {output: len(rows) for output, rows in stream.rows.items()}
    assert counts == {
        "document_operations": 11,
        "presence_events": 9,
        "chat_messages": 2,
        "execution_events": 3,
        "execution_logs": 1,
        "execution_outcomes": 1,
        "activity": 1,
        "executions": 1,
        "rooms": 1,
        "record_audit": 1,
    }
    assert all(type(row) is OUTPUTS[output] for output, rows in stream.rows.items() for row in rows)


def test_the_audit_says_what_became_of_a_record():
    stream = Stream()
    stream.send(rooms.edit(1), rooms.edit(1), rooms.edit(3), rooms.chat(1, room="elsewhere"))
    (audit,) = stream.rows["record_audit"]
    assert (audit.received, audit.stored, audit.duplicate, audit.quarantined, audit.pending) == (4, 1, 1, 1, 1)
    assert {(row.type, row.received) for row in audit.by_type} == {("document.edited", 3), ("chat.posted", 1)}
    assert (audit.collector, audit.batch, audit.shard_id) == ("collector-1", 1, "shard-1")
    assert audit.process_delay_ms == 5


def test_an_execution_has_one_outcome_with_what_billing_needs():
    stream = Stream()
    stream.send(rooms.queued(1), rooms.started(2))
    stream.send(rooms.output(3, "hé\n"), rooms.finished(4, "failed", cpu_ms=77), rooms.finished(4, "failed", cpu_ms=77))
    (outcome,) = stream.rows["execution_outcomes"]
    assert (outcome.outcome, outcome.cpu_ms, outcome.revision) == ("failed", 77, 1)
    assert (outcome.user_id, outcome.worker_id, outcome.language) == ("ada", "worker-3", "python")
    assert (outcome.output_chunks, outcome.output_bytes) == (1, 4)
    assert outcome.queued_at < outcome.started_at < outcome.finished_at


def test_a_live_execution_keeps_the_day_of_its_first_event():
    stream = Stream()
    stream.send(rooms.queued(1, at=rooms.START_MS))
    stream.send(rooms.started(2, at=rooms.START_MS + 86_400_000))
    first, second = stream.rows["executions"]
    assert (first.status, second.status) == ("queued", "started")
    assert first.received_at == second.received_at


def test_the_live_room_shows_who_is_there_and_what_runs():
    stream = Stream()
    stream.send(rooms.joined(1), rooms.cursor(2, 17), rooms.joined(1, by=rooms.GRACE), rooms.queued(1))
    (live,) = stream.rows["rooms"]
    assert [(row.user_id, row.position) for row in live.present] == [("ada", 17), ("grace", None)]
    assert live.running_executions == [rooms.EXECUTION]
    stream.send(rooms.left(2, by=rooms.GRACE), rooms.started(2), rooms.finished(3), after_ms=1000)
    live = stream.rows["rooms"][-1]
    assert (live.present_count, live.running_executions) == (1, [])


def test_clock_skew_is_flagged_and_kept():
    stream = Stream()
    stream.send(rooms.chat(1, at=rooms.START_MS - 86_400_000 * 3, received_at=rooms.START_MS))
    (message,) = stream.rows["chat_messages"]
    assert message.clock_skew


def test_a_bare_event_and_a_bare_array_are_accepted():
    stream = Stream()
    stream.take(rooms.encode(rooms.chat(1)))
    stream.take(b"[" + rooms.encode(rooms.chat(2)) + b",\n " + rooms.encode(rooms.chat(3)) + b"]")
    assert stream.sequences("chat_messages") == [1, 2, 3]


BOMB = zstandard.ZstdCompressor(write_content_size=False).compress(b"\n" * (17 * 1024 * 1024))
HEADER = Header(1, rooms.ROOM, 1, "zstd", "c", 1, rooms.START_MS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"v":1,"room_id":"room-7"\n', "bad_frame"),
        (frame(Header(1, "room-8", 0, "identity", "c", 1, 0), []), "bad_frame"),
        (frame(HEADER, [b"{}"]).replace(b'"count":1', b'"count":2'), "bad_frame"),
        (frame(HEADER, [b"{}"])[:-3], "decompression_failed"),
        (frame(HEADER, [b"{}"]).split(b"\n")[0] + b"\n" + BOMB, "decompression_bomb"),
        (b'{"v":1,"room_id":"room-7",' + b" " * 1024 * 1024, "too_large"),
    ],
)
def test_a_record_that_cannot_be_read_is_quarantined_whole(data: bytes, reason: str):
    stream = Stream()
    stream.take(data)
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.position, row.body_bytes) == (reason, -1, len(data))
    body = base64.b64decode(row.body) if row.body_encoding == "base64" else row.body.encode()
    assert body == data
    assert (stream.total("received"), stream.total("quarantined")) == (1, 1)


def test_a_refused_event_lands_whole_and_its_neighbours_are_stored():
    stream = Stream()
    bad = b'{"event_id":"x","type":"chat.posted"}'
    lines = [rooms.encode(rooms.chat(1)), bad, rooms.encode(rooms.chat(2))]
    stream.take(frame(Header(1, rooms.ROOM, 3, "zstd", "c", 1, rooms.START_MS), lines))
    (row,) = stream.rows["quarantined_events"]
    assert (row.body.encode(), row.position, row.reason) == (bad, 1, "schema_violation")
    assert row.quarantine_id == "shard-1:1:1"
    assert stream.sequences("chat_messages") == [1, 2]


def test_a_record_without_a_readable_room_is_quarantined():
    stream = Stream(room_id="")
    stream.take(b"\xff\x00\x01")
    (row,) = stream.rows["quarantined_events"]
    assert (row.room_id, row.reason) == (None, "not_utf8")
    assert "rooms" not in stream.rows


def test_replaying_from_an_earlier_state_makes_the_same_rows():
    stream = Stream()
    stream.send(*rooms.small_room()[:8])
    saved_room, saved_keys = stream.room, dict(stream.keys)
    first = stream.send(*rooms.small_room()[8:])
    stream.room, stream.keys, stream._records = saved_room, saved_keys, 1
    assert stream.send(*rooms.small_room()[8:]) == first


def test_every_lake_output_has_the_limits_of_its_rules():
    assert Rules().limits.event_bytes == 4096
    assert set(LAKE_OUTPUTS) <= set(OUTPUTS)
