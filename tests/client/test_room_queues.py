"""One sender's rooms, without threads: what may be taken when."""

import pytest
from fake_stream import settings

from codewave.client.rooms import RoomQueues


@pytest.fixture
def rooms() -> RoomQueues:
    return RoomQueues(settings(linger_ms=100, batch_events=3))


def taken(rooms: RoomQueues, now: float) -> list[tuple[str, int]]:
    return [(record.room_id, record.events) for record in rooms.take(now)]


def test_a_batch_is_taken_when_its_linger_has_passed_and_not_before(rooms):
    rooms.add("blue", b"1", now=10.0)
    assert taken(rooms, 10.09) == []
    assert rooms.wait_s(10.09) == pytest.approx(0.01)
    assert rooms.wait_s(10.0 + 0.1) == 0
    assert taken(rooms, 10.0 + 0.1) == [("blue", 1)]


def test_the_sender_is_woken_for_the_first_batch_and_for_a_full_one(rooms):
    assert [rooms.add("blue", b"x", 10.0) for _ in range(3)] == [True, False, True]
    assert taken(rooms, 10.0) == [("blue", 3)]


def test_with_nothing_to_do_there_is_no_time_to_wake(rooms):
    assert rooms.wait_s(10.0) is None


def test_a_room_under_way_is_not_taken_again_until_it_is_settled(rooms):
    for _ in range(6):
        rooms.add("blue", b"x", 10.0)
    (first,) = rooms.take(10.0)
    assert rooms.take(10.0) == []
    rooms.settle(first)
    assert taken(rooms, 10.0) == [("blue", 3)]


def test_a_delayed_room_is_taken_when_its_time_has_come(rooms):
    rooms.add_record("blue", b"x", 10.0)
    (record,) = rooms.take(10.0)
    rooms.delay(record, until=12.0)
    assert rooms.take(11.9) == []
    assert rooms.wait_s(11.5) == pytest.approx(0.5)
    assert rooms.take(12.0) == [record]


def test_a_batch_that_became_due_behind_a_record_goes_when_that_is_settled(rooms):
    rooms.add_record("blue", b"x", 10.0)
    (record,) = rooms.take(10.0)
    rooms.add("blue", b"1", 10.0)
    assert rooms.take(10.5) == []
    rooms.add("blue", b"2", 10.6)
    rooms.settle(record)
    assert taken(rooms, 10.6) == [("blue", 2)]


def test_a_room_with_nothing_left_is_forgotten(rooms):
    for number in range(100):
        rooms.add(f"room-{number}", b"x", 10.0)
    rooms.seal_all()
    for record in rooms.take(10.0):
        rooms.settle(record)
    assert rooms.records() == []
    assert len(rooms) == 0


def test_rooms_take_turns():
    rooms = RoomQueues(settings(call_records=2))
    for room in ("a", "b", "c"):
        for _ in range(2):
            rooms.add_record(room, b"x", 10.0)
    order = []
    while call := rooms.take(10.0):
        order += [record.room_id for record in call]
        for record in call:
            rooms.settle(record)
    assert order == ["a", "b", "c", "a", "b", "c"]
