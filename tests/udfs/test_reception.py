"""Wrong clocks change nothing but times: no gap, no neighbour, no partition far away."""

import example_rooms as rooms
import msgspec
import pytest
from stream import ARRIVED_MS, Stream

from codewave.contract.fields import MAX_INT, MAX_MILLIS
from codewave.contract.frame import Header, frame
from udfs.rules import DAY_MS, Rules

FAR = [0, 1, ARRIVED_MS - 400 * DAY_MS, ARRIVED_MS - 3 * DAY_MS, ARRIVED_MS + 3 * DAY_MS, MAX_MILLIS]
"""Times that a clock may say and that cannot be right."""
RULES = Rules()


def times(stream: Stream) -> set[int]:
    """Every ``received_at`` of every row: what partitions the tables and names the indices."""
    rows = [row for made in stream.rows.values() for row in made]
    return {row.received_at for row in rows if hasattr(row, "received_at")}


def send(stream: Stream, *events: rooms.Event, sent_at: int = ARRIVED_MS, arrived_at: int = ARRIVED_MS) -> None:
    header = Header(1, rooms.ROOM, len(events), "identity", "c", 1, sent_at)
    stream.take(frame(header, [rooms.encode(event) for event in events]), arrived_at=arrived_at)


@pytest.mark.parametrize("far", FAR)
def test_an_unbelievable_time_gives_way_to_the_arrival_and_the_event_is_stored_and_flagged(far: int):
    stream = Stream()
    send(stream, rooms.edit(1, at=far, received_at=far), sent_at=far)
    (row,) = stream.rows["document_operations"]
    assert (row.occurred_at, row.received_at, row.clock_skew) == (far, ARRIVED_MS, True)
    assert times(stream) == {ARRIVED_MS}
    assert stream.total("stored") == 1


@pytest.mark.parametrize("off", [-RULES.delivery_ms, -3_600_000, 0, RULES.clock_skew_ms])
def test_a_time_that_can_be_right_is_kept_as_it_came(off: int):
    stream = Stream()
    send(stream, rooms.edit(1, at=ARRIVED_MS + off, received_at=ARRIVED_MS + off))
    (row,) = stream.rows["document_operations"]
    assert (row.received_at, row.clock_skew) == (ARRIVED_MS + off, False)


@pytest.mark.parametrize("off", [-RULES.delivery_ms - 1, RULES.clock_skew_ms + 1])
def test_one_beyond_is_not(off: int):
    stream = Stream()
    send(stream, rooms.edit(1, received_at=ARRIVED_MS + off))
    assert stream.rows["document_operations"][0].received_at == ARRIVED_MS


def test_an_event_that_waits_is_released_with_the_time_it_was_given_when_it_arrived():
    stream = Stream()
    send(stream, rooms.edit(2, at=0, received_at=0))
    send(stream, rooms.edit(1, received_at=ARRIVED_MS), arrived_at=ARRIVED_MS + 900)
    second = stream.rows["document_operations"][-1]
    assert (second.sequence, second.occurred_at, second.received_at) == (2, 0, ARRIVED_MS)
    hours = [counts for audit in stream.rows["record_audit"] for counts in audit.by_type]
    assert {counts.hour for counts in hours} == {ARRIVED_MS - ARRIVED_MS % 3_600_000}
    assert sum(counts.pending - counts.released for counts in hours) == 0


def test_a_refused_event_is_quarantined_under_a_believable_time_with_its_bytes_as_they_came():
    stream = Stream()
    event = msgspec.to_builtins(rooms.chat(1, received_at=MAX_MILLIS)) | {"type": "chat.unheard_of"}
    body = msgspec.json.encode(event)
    stream.take(frame(Header(1, rooms.ROOM, 1, "identity", "c", 1, MAX_MILLIS), [body]))
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.body.encode()) == ("unknown_type", body)
    assert times(stream) == {ARRIVED_MS}


def test_a_conflict_is_quarantined_under_a_believable_time_with_its_bytes_as_they_came():
    stream = Stream()
    other = rooms.edit(1, "y", received_at=0, event_id=rooms.uuid7("other", 1))
    send(stream, rooms.edit(1), other)
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.body.encode(), row.received_at) == ("sequence_conflict", rooms.encode(other), ARRIVED_MS)


@pytest.mark.parametrize("wrong", [-1, MAX_MILLIS + 1, MAX_INT, MAX_INT + 1, -MAX_INT - 1, 1.5, "now", None])
@pytest.mark.parametrize("field", ["occurred_at", "received_at"])
def test_a_time_that_no_store_can_hold_is_refused_with_its_path(field: str, wrong: object):
    stream = Stream()
    body = msgspec.json.encode(msgspec.to_builtins(rooms.chat(1)) | {field: wrong})
    stream.take(frame(Header(1, rooms.ROOM, 1, "identity", "c", 1, ARRIVED_MS), [body]))
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.path) == ("schema_violation", f"$.{field}")


@pytest.mark.parametrize("sent_at", [-1, MAX_MILLIS + 1, MAX_INT])
def test_a_record_sent_at_a_time_that_no_store_can_hold_is_refused_whole(sent_at: int):
    stream = Stream()
    header = b'{"v":1,"room_id":"room-7","count":1,"encoding":"identity","collector":"c","batch":1,"sent_at":%d}'
    stream.take(header % sent_at + b"\n" + rooms.encode(rooms.chat(1)))
    assert [row.reason for row in stream.rows["quarantined_events"]] == ["bad_frame"]
    assert times(stream) == {ARRIVED_MS}


@pytest.mark.parametrize("far", FAR)
def test_gaps_close_by_the_streams_clock_whatever_the_senders_say(far: int):
    stream = Stream()
    send(stream, rooms.edit(1), rooms.edit(3))
    send(stream, rooms.cursor(1, at=far, received_at=far), sent_at=far, arrived_at=ARRIVED_MS + 999)
    assert "sequence_gaps" not in stream.rows
    send(stream, rooms.cursor(2, at=far, received_at=far), sent_at=far, arrived_at=ARRIVED_MS + 1_000)
    (gap,) = stream.rows["sequence_gaps"]
    assert (gap.first_sequence, gap.waited_ms, gap.received_at) == (2, 1_000, ARRIVED_MS + 1_000)


def test_a_session_whose_clock_is_ahead_does_not_make_the_others_absent():
    stream = Stream()
    ahead = ARRIVED_MS + RULES.clock_skew_ms
    send(stream, rooms.joined(1))
    send(stream, rooms.joined(1, by=rooms.GRACE, at=ahead, received_at=ahead), arrived_at=ARRIVED_MS + 2_000)
    room = stream.rows["rooms"][-1]
    assert [present.session_id for present in room.present] == ["tab-ada", "tab-grace"]
    assert room.last_activity_at == ARRIVED_MS + 2_000
