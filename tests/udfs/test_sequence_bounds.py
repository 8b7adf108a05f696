"""What is remembered of an ordering key and of a room is bounded, and what happens at each bound."""

import base64

import example_rooms as rooms
import msgspec
import pytest
from stream import Stream

from codewave.contract.fields import MAX_INT
from udfs.rules import Rules
from udfs.sequence import FINGERPRINT_BYTES, KeyState, Verdict, offer
from udfs.state import key_bytes_bound, read_room, room_bytes_bound

DOCUMENT = f"document:{rooms.DOCUMENT}"
LONGEST_LABEL = "𝄞" * 256
"""Of 4 bytes a character."""


def edits(*sequences: int, text: str = "x", **fields) -> list:
    return [rooms.edit(sequence, text, **{"at": rooms.START_MS, **fields}) for sequence in sequences]


def other(sequence: int):
    """Another event with the same number."""
    return edits(sequence, event_id=rooms.uuid7("other", sequence))[0]


def spoilt(sequence: int) -> bytes:
    """The edit with that number, so that the contract refuses it."""
    return rooms.encode(*edits(sequence)).replace(b'"version":1', b'"version":0')


def key_of(stream: Stream, ordering_key: str = DOCUMENT) -> KeyState:
    return msgspec.msgpack.decode(stream.keys[ordering_key], type=KeyState)


def reasons(stream: Stream) -> list[str]:
    return [row.reason for row in stream.rows.get("quarantined_events", [])]


def stored(stream: Stream) -> list[tuple[int, bool]]:
    return [(row.sequence, row.late) for row in stream.rows.get("document_operations", [])]


def with_holes(count: int, rules: Rules, after: int = 0) -> Stream:
    """A stream that has every even number, and declared every odd one a gap; then ``after`` more numbers in a row."""
    stream = Stream(rules=rules)
    for hole in range(1, count + 1):
        stream.send(*edits(2 * hole), after_ms=2_000 * hole)
        stream.fire(2_000 * hole + 1_000)
    stream.send(*edits(*range(2 * count + 1, 2 * count + 1 + after)), after_ms=2_000 * (count + 1))
    return stream


FEW = Rules(release="test", holes=3, fingerprints=4)


def test_no_more_holes_are_remembered_than_the_rules_allow():
    assert key_of(with_holes(200, Rules())).holes == [(number, number) for number in range(273, 400, 2)]


def test_an_event_as_old_as_a_forgotten_hole_is_quarantined_whole_and_the_message_says_what_to_do():
    stream = with_holes(5, FEW)
    stream.send(*edits(3))
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.path, row.sequence) == ("too_late", "$.sequence", 3)
    assert row.body.encode() == rooms.encode(*edits(3))
    assert "forgotten which numbers from 1 to 3 are missing; look for the event_id in the lake" in row.message
    assert 3 not in stream.sequences()
    assert stream.total("received") == stream.total("stored") + stream.total("quarantined") + stream.total("pending")


def test_a_duplicate_as_old_as_a_forgotten_hole_is_quarantined_too():
    stream = with_holes(5, FEW)
    stream.send(*edits(2))
    assert (reasons(stream), stream.total("duplicate")) == (["too_late"], 0)


def test_a_duplicate_older_than_every_hole_is_still_known_for_one():
    stream = Stream(rules=FEW)
    stream.send(*edits(*range(1, 10)))
    for number in range(11, 25, 2):
        stream.send(*edits(number), after_ms=number * 2_000)
        stream.fire(number * 2_000 + 1_000)
    stream.send(*edits(5, 9, 10, 11))
    assert stream.total("duplicate") == 2
    assert reasons(stream) == ["too_late"] * 2


def test_a_hole_that_is_remembered_is_filled_when_older_ones_are_forgotten():
    stream = with_holes(5, FEW)
    stream.send(*edits(5, 9, 9))
    assert stored(stream)[-2:] == [(5, True), (9, True)]
    assert stream.total("duplicate") == 1


def test_the_last_fingerprints_tell_what_is_missing_even_where_the_hole_is_forgotten():
    stream = with_holes(5, Rules(release="test", holes=1, fingerprints=4))
    assert (key_of(stream).holes, key_of(stream).horizon) == ([(9, 9)], 7)
    stream.send(*edits(7), *edits(7), other(7), *edits(6))
    assert stored(stream)[-1] == (7, True)
    assert (stream.total("duplicate"), reasons(stream)) == (1, ["sequence_conflict", "too_late"])


def test_a_hole_that_is_split_counts_as_two():
    stream = Stream(rules=Rules(release="test", holes=1, fingerprints=1))
    stream.send(*edits(10))
    stream.fire(1_000)
    stream.send(*edits(5))
    assert (key_of(stream).holes, key_of(stream).forgotten_from, key_of(stream).horizon) == ([(6, 9)], 1, 4)


@pytest.mark.parametrize("sequence", [2**62, MAX_INT])
def test_a_jump_to_a_far_number_takes_no_more_state_than_a_near_one(sequence: int):
    stream = Stream()
    stream.send(*edits(sequence))
    stream.fire(1_000)
    stream.send(*edits(1, 2, 77))
    assert stored(stream) == [(sequence, False), (1, True), (2, True), (77, True)]
    assert len(stream.keys[DOCUMENT]) < 1_200


def test_the_fingerprints_are_bounded_within_a_record():
    state, rules = KeyState(), Rules()
    for sequence in range(1, 2_000):
        assert offer(state, sequence, sequence.to_bytes(FINGERPRINT_BYTES), b"{}", 0, rules) is Verdict.PASS
        assert len(state.fingerprints) <= rules.fingerprints * FINGERPRINT_BYTES


def test_how_far_back_a_conflict_is_seen_does_not_depend_on_the_batching():
    together, apart = Stream(), Stream()
    together.send(*edits(*range(1, 201)), other(200 - 127), other(200 - 128))
    apart.send(*edits(*range(1, 201)))
    apart.send(other(200 - 127), other(200 - 128))
    assert reasons(together) == reasons(apart) == ["sequence_conflict"]


def test_an_event_in_the_place_kept_for_it_counts_in_the_bytes_that_wait():
    stream = Stream(rules=Rules(release="test", pending_bytes=2_000))
    for sequence in range(3, 13):
        stream.take(spoilt(sequence))
    assert (key_of(stream).pending_bytes, len(key_of(stream).pending)) == (0, 10)
    stream.send(*edits(*range(3, 13), text="x" * 300))
    assert key_of(stream).pending_bytes <= 2_000
    assert stream.sequences() == list(range(3, 13))


def test_places_kept_for_refused_events_are_bounded_like_events_that_wait():
    stream = Stream(rules=Rules(release="test", pending_events=10))
    for sequence in range(3, 100, 2):
        stream.take(spoilt(sequence))
    assert len(key_of(stream).pending) == 10


def test_an_event_larger_than_all_that_may_wait_does_not_wait():
    stream = Stream(rules=Rules(release="test", pending_bytes=500))
    stream.send(*edits(3, text="x" * 1_000))
    assert (stored(stream), key_of(stream).pending_bytes) == ([(3, False)], 0)
    assert [row.cause for row in stream.rows["sequence_gaps"]] == ["pending_full"]


def test_an_event_is_not_late_because_those_after_it_fill_what_may_wait():
    stream = Stream(rules=Rules(release="test", pending_events=4))
    stream.send(*edits(5, 6, 7, 8, 2))
    assert stored(stream) == [(2, False)]
    stream.send(*edits(3, 4))
    assert stored(stream) == [(number, False) for number in range(2, 9)]


def test_a_refused_place_that_is_filled_in_time_was_never_a_gap():
    stream = Stream()
    stream.take(spoilt(3))
    stream.send(*edits(3))
    stream.send(*edits(1, 2))
    assert stored(stream) == [(1, False), (2, False), (3, False)]
    assert "sequence_gaps" not in stream.rows


def test_a_refused_place_becomes_a_gap_when_those_before_it_have_come():
    stream = Stream()
    stream.take(spoilt(3))
    stream.send(*edits(1, 2, 4))
    (gap,) = stream.rows["sequence_gaps"]
    assert (gap.first_sequence, gap.last_sequence, gap.cause, gap.status) == (3, 3, "refused", "declared")
    assert stored(stream) == [(1, False), (2, False), (4, False)]


def test_when_too_many_keys_wait_the_one_that_began_first_no_longer_does():
    stream = Stream(rules=Rules(release="test", waiting_keys=2))
    for name in ("a", "b", "c"):
        stream.send(*edits(3, 5, document=name))
    assert list(read_room(stream.room).waiting) == ["document:b", "document:c"]
    assert [row.document_id for row in stream.rows["document_operations"]] == ["a", "a"]
    assert [row.cause for row in stream.rows["sequence_gaps"]] == ["pending_full"] * 2


def test_a_room_forgets_that_a_key_waits_whose_state_has_expired():
    stream = Stream()
    stream.send(*edits(3))
    stream.keys.clear()
    stream.fire(1_000)
    assert not stream.waits


def test_the_clock_of_a_room_does_not_go_back_when_another_shard_is_behind():
    stream = Stream()
    stream.send(*edits(3), after_ms=5_000)
    stream.send(*edits(1), after_ms=500)
    stream.send(*edits(5), after_ms=5_999)
    assert (stored(stream), stream.waits) == ([(1, False)], True)
    stream.send(after_ms=6_000)
    assert stored(stream) == [(1, False), (3, False)]
    assert stream.rows["sequence_gaps"][0].waited_ms == 1_000


def test_the_state_of_a_key_with_every_bound_reached_is_as_large_as_the_rules_say_and_no_larger():
    rules, name = Rules(), "x" * 64
    stream, key = Stream(rules=rules), f"execution:{'x' * 64}"
    worker = rooms.Writer("u" * 64, "w" * 64)
    first = rooms.queued(1, execution=name, by=rooms.Writer("u" * 64, "s" * 64))
    first.payload.language, first.payload.document_id, first.payload.image = LONGEST_LABEL, "d" * 64, LONGEST_LABEL
    begun, ended = rooms.started(2, execution=name, by=worker), rooms.finished(3, execution=name, by=worker)
    begun.payload.image = ended.payload.image = LONGEST_LABEL
    stream.send(first, begun, ended)
    far = 2**62
    for hole in range(rules.holes + 10):  # and with it all fingerprints
        stream.send(
            *[rooms.output(far + 10 * hole + n, execution=name, at=rooms.START_MS) for n in (1, 2, 3)],
            after_ms=2_000 * hole,
        )
        stream.fire(2_000 * hole + 1_000)
    short = len(rooms.encode(rooms.output(far + 2**20, "", execution=name, at=rooms.START_MS)))
    text = "x" * (rules.pending_bytes // rules.pending_events - short)
    for n in range(rules.pending_events):
        stream.send(rooms.output(far + 2**20 + n, text, execution=name, at=rooms.START_MS), after_ms=2_000 * hole)
    state = key_of(stream, key)
    assert (len(state.pending), state.pending_bytes) == (rules.pending_events, rules.pending_bytes)
    assert (len(state.holes), len(state.fingerprints)) == (rules.holes, rules.fingerprints * FINGERPRINT_BYTES)
    assert 0.99 * key_bytes_bound(rules) < len(stream.keys[key]) <= key_bytes_bound(rules)
    assert key_bytes_bound(rules) < 1_080_000


def test_the_state_of_a_room_with_every_bound_reached_is_as_large_as_the_rules_say_and_no_larger():
    rules = Rules()
    stream = Stream(rules=rules)
    for n in range(rules.present_sessions + 10):
        writer = rooms.Writer(f"{n:064}", f"{n:x>64}")
        stream.send(rooms.joined(1, by=writer), rooms.edit(n + 1, document="d" * 64, by=writer))
        stream.send(rooms.cursor(2, MAX_INT, by=writer))
    for n in range(rules.watched_executions + 10):
        stream.send(rooms.queued(1, execution=f"{n:064}"), rooms.started(2, execution=f"{n:064}"))
    for n in range(rules.waiting_keys + 10):
        # The ordering key of a refused event is not checked for what is in it.
        event = rooms.edit(2)
        event.ordering_key = f"{n:03}{'𝄞' * 136}"
        stream.take(rooms.encode(event).replace(b'"version":1', b'"version":0'))
    room = read_room(stream.room)
    assert len(room.waiting) == rules.waiting_keys
    assert len(room.live.present) == rules.present_sessions
    assert len(room.watched) == rules.watched_executions
    assert 0.9 * room_bytes_bound(rules) < len(stream.room) <= room_bytes_bound(rules)
    assert room_bytes_bound(rules) < 320_000


# Written by release 0.1.0: an execution with numbers 3 and 4 in a hole, 8 waiting and a place kept for 10.
OLD_KEY = base64.b64decode("""
lgbEKI1AFsSWk4W+ikd5dBsgsSYAAAAAAAAAAAAAAAAAAAAAhvBw0W67rW6RkgMEggiTzwAAAZt3EZswxAiC7rVePP6Fg8UBR3sidHlwZSI6ImV4ZWN1
dGlvbi5vdXRwdXQiLCJldmVudF9pZCI6IjAxOWI3NmRhLWM3NDAtN2IyZi04MmVlLWI1NWUzY2ZlODU4MyIsInZlcnNpb24iOjEsInJvb21faWQiOiJy
b29tLTciLCJzZXNzaW9uX2lkIjoid29ya2VyLTMiLCJ1c2VyX2lkIjoiYWRhIiwib3JkZXJpbmdfa2V5IjoiZXhlY3V0aW9uOnJ1bi0xIiwic2VxdWVu
Y2UiOjgsIm9jY3VycmVkX2F0IjoxNzY3MjI1NjA4MDAwLCJyZWNlaXZlZF9hdCI6MTc2NzIyNTYwODA0MCwicGF5bG9hZCI6eyJleGVjdXRpb25faWQi
OiJydW4tMSIsInN0cmVhbSI6InN0ZG91dCIsImNodW5rIjoxLCJ0ZXh0IjoiaGlcbiJ9fQqTzwAAAZt3EZuUxAgAAAAAAAAAAMQAzQFHnc8AAAGbdtqs
EKNhZGGndGFiLWFkYadtYWluLXB5pnB5dGhvbrBweXRob246My4xMS1zbGltqHdvcmtlci0zzwAAAZt22qvozwAAAZt22q/QAQMAwA==
""")
OLD_ROOM = base64.b64decode("""
lM8AAAGbdxGblKdzaGFyZC0xga9leGVjdXRpb246cnVuLTHPAAABm3cRmzCUgIGlcnVuLTHPAAABm3bar9DPAAABm3bau7DPAAABm3cRmmg=
""")


def test_state_saved_before_holes_were_bounded_is_read_and_goes_on():
    stream = Stream()
    stream.room, stream.keys = OLD_ROOM, {f"execution:{rooms.EXECUTION}": OLD_KEY}
    another = rooms.output(2, event_id=rooms.uuid7("other", 2))
    stream.send(rooms.output(4), another, rooms.output(6), rooms.output(7), after_ms=1_400)
    stored = [(row.sequence, row.late) for row in stream.rows["execution_logs"]]
    assert stored == [(4, True), (6, False), (7, False), (8, False)]
    assert reasons(stream) == ["sequence_conflict"]
    assert stream.waits
    stream.send(rooms.output(9), rooms.output(11), after_ms=1_500)
    assert stream.sequences("execution_logs")[-2:] == [9, 11]
    assert [row.cause for row in stream.rows["sequence_gaps"]] == ["late", "refused"]
    assert not stream.waits


def test_a_key_saved_with_more_holes_than_may_be_forgets_the_oldest_when_the_next_is_made():
    stream = with_holes(20, Rules())
    stream.rules = FEW
    stream.send(*edits(42), after_ms=100_000)
    stream.fire(101_000)
    assert (key_of(stream).holes, key_of(stream).forgotten_from) == ([(37, 37), (39, 39), (41, 41)], 1)
    assert key_of(stream).horizon == 35
