"""Order and duplicates along one ordering key."""

import example_rooms as rooms
from stream import Stream

from udfs.rules import Rules


def edits(*sequences: int, **fields) -> list:
    return [rooms.edit(sequence, **{"at": rooms.START_MS, **fields}) for sequence in sequences]


def test_events_in_order_pass():
    stream = Stream()
    stream.send(*edits(1, 2, 3))
    assert stream.sequences() == [1, 2, 3]
    assert not stream.waits


def test_an_event_that_is_early_waits_for_those_before_it():
    stream = Stream()
    stream.send(*edits(2, 3))
    assert (stream.sequences(), stream.waits) == ([], True)
    stream.send(*edits(1))
    assert (stream.sequences(), stream.waits) == ([1, 2, 3], False)


def test_a_repeated_event_is_counted_as_a_duplicate_whether_stored_waiting_or_long_ago():
    stream = Stream()
    stream.send(*edits(1, 1, 3, 3))
    stream.send(*edits(2, 1, 2, 3))
    stream.send(*edits(*range(4, 300)))
    stream.send(*edits(5))
    assert stream.sequences() == list(range(1, 300))
    assert stream.total("duplicate") == 6


def test_another_event_in_the_same_place_is_a_conflict():
    stream = Stream()
    stream.send(*edits(1, 3))
    others = [edits(sequence, event_id=rooms.uuid7("other", sequence))[0] for sequence in (1, 3)]
    stream.send(*others)
    assert stream.sequences() == [1]
    assert [row.reason for row in stream.rows["quarantined_events"]] == ["sequence_conflict"] * 2


def test_a_gap_is_declared_when_the_rooms_clock_passes_the_timeout():
    stream = Stream()
    stream.send(*edits(1, 4))
    stream.send(rooms.chat(1), after_ms=999)
    assert stream.sequences() == [1]
    stream.send(rooms.chat(2), after_ms=1000)
    assert stream.sequences() == [1, 4]
    (gap,) = stream.rows["sequence_gaps"]
    assert (gap.first_sequence, gap.last_sequence, gap.status, gap.cause) == (2, 3, "declared", "timeout")
    assert gap.waited_ms == 1000


def test_a_late_event_fills_its_gap_once():
    stream = Stream()
    stream.send(*edits(1, 5))
    stream.send(*edits(3, 3), after_ms=2000)
    stored = [(row.sequence, row.late) for row in stream.rows["document_operations"]]
    assert stored == [(1, False), (5, False), (3, True)]
    assert stream.total("duplicate") == 1
    assert stream.rows["sequence_gaps"][-1].status == "filled"
    stream.send(*edits(2, 4))
    assert sorted(stream.sequences()) == [1, 2, 3, 4, 5]


def test_a_timer_closes_the_gap_of_a_room_in_which_nothing_comes_in():
    stream = Stream()
    stream.send(*edits(1, 3))
    stream.fire(999)
    assert stream.sequences() == [1]
    stream.fire(1000)
    assert stream.sequences() == [1, 3]
    assert stream.rows["record_audit"][-1].cause == "timer"
    assert stream.total("pending") == stream.total("released") == 1


def test_whether_a_timer_or_the_next_record_closes_a_gap_changes_nothing_that_is_stored():
    with_timer, without = Stream(), Stream()
    for stream in (with_timer, without):
        stream.send(*edits(1, 3))
    with_timer.fire(1500)
    for stream in (with_timer, without):
        stream.send(*edits(2, 4), after_ms=1500)
    for output in ("document_operations", "sequence_gaps", "activity"):
        assert with_timer.rows[output] == without.rows[output]


def test_a_gap_delays_no_other_key_of_the_room():
    stream = Stream()
    stream.send(rooms.edit(5), rooms.chat(1), rooms.edit(1, document="other"))
    assert stream.sequences() == [1]
    assert stream.sequences("chat_messages") == [1]


def test_no_more_events_wait_than_the_rules_allow():
    stream = Stream(rules=Rules(pending_events=10))
    stream.send(*edits(*range(2, 13)))
    assert stream.sequences() == list(range(2, 13))
    assert stream.rows["sequence_gaps"][0].cause == "pending_full"
    stream.send(*edits(1))
    assert stream.sequences()[-1] == 1


def test_no_more_bytes_wait_than_the_rules_allow():
    stream = Stream(rules=Rules(pending_bytes=5_000))
    stream.send(*[rooms.edit(sequence, "x" * 2000) for sequence in (2, 3, 4)])
    assert stream.sequences() == [2, 3, 4]


def test_a_refused_event_delays_nobody_and_its_redrive_takes_its_place():
    stream = Stream()
    good = [rooms.encode(event) for event in edits(1, 2, 3)]
    good[1] = good[1].replace(b'"base_sequence":1', b'"base_sequence":-1')
    stream.take(b"[" + b",".join(good) + b"]")
    assert stream.sequences() == [1, 3]
    assert stream.rows["sequence_gaps"][0].cause == "refused"
    stream.send(*edits(2))
    assert sorted(stream.sequences()) == [1, 2, 3]


def test_a_refused_event_that_comes_early_keeps_its_place():
    stream = Stream()
    refused = rooms.encode(*edits(2)).replace(b'"base_sequence":1', b'"base_sequence":-1')
    stream.take(refused)
    stream.send(*edits(3))
    stream.send(*edits(1))
    assert stream.sequences() == [1, 3]
    assert not stream.waits
