"""An event that breaks our own code is quarantined alone: its neighbours, its ordering key and the job go on."""

from itertools import pairwise
from typing import Any

import example_rooms as rooms
import pytest
from hypothesis import given
from hypothesis import strategies as st
from poison import POISON, BugError, IsolatingStream, assert_counts_close, body_of, bug_in_rows, has_poison
from stream import Stream

import udfs.batch
import udfs.room
from codewave.contract.frame import Header, frame
from udfs import sequence as seq
from udfs.isolate import IsolationRules, TooMuchToIsolateError
from udfs.route import ROUTES
from udfs.rules import Rules

POISONED = rooms.chat(2, f"a {POISON} b")


def of_the_others(rows: dict[str, list[Any]], poison: str) -> dict[str, list[Any]]:
    """Rows of everybody else: left out are the poison's own, and quarantine, gaps and audit, which tell of it."""
    kept = {
        output: [row for row in made if getattr(row, "event_id", None) != poison]
        for output, made in rows.items()
        if output not in {"quarantined_events", "sequence_gaps", "record_audit"}
    }
    return {output: made for output, made in kept.items() if made}


def test_only_the_event_that_breaks_is_quarantined_whole_with_what_it_broke_on():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(rooms.joined(1), rooms.edit(1), POISONED, rooms.chat(3, "after"), rooms.edit(2))
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.path, row.body, row.position) == ("operator_failed", "$", body_of(POISONED), 2)
    assert (row.event_id, row.sequence, row.quarantine_id) == (POISONED.event_id, 2, "shard-1:1:2")
    assert row.message.startswith("BugError: no row for this one\n  at udfs/poison.py:")
    assert " in Step._store" in row.message
    assert "caused by" not in row.message
    assert (stream.sequences("chat_messages"), stream.sequences()) == ([3], [1, 2])
    assert_counts_close(stream)


def test_the_neighbours_make_the_rows_that_they_make_without_a_bug():
    eve = rooms.Writer("eve", "tab-eve")
    poison = rooms.chat(1, POISON, by=eve)
    events = [*rooms.small_room()[:12], poison, *rooms.small_room()[12:], rooms.chat(2, by=eve)]
    stream = IsolatingStream()
    expected = Stream().send(*events)
    with bug_in_rows():
        made = stream.send(*events)
    assert stream.isolated == [poison.event_id]
    assert of_the_others(made, poison.event_id) == of_the_others(expected, poison.event_id)
    (audit,), (before,) = made["record_audit"], expected["record_audit"]
    assert (audit.received, audit.stored, audit.quarantined) == (before.received, before.stored - 1, 1)
    assert (audit.collector, audit.batch, audit.bytes) == (before.collector, before.batch, before.bytes)


def test_what_comes_later_along_its_ordering_key_does_not_wait_and_its_redrive_fills_the_hole():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(rooms.chat(1), POISONED)
        stream.send(rooms.chat(3))
    assert stream.sequences("chat_messages") == [1, 3]
    stream.send(POISONED)
    *_, redriven = stream.rows["chat_messages"]
    assert (redriven.sequence, redriven.late, stream.waits) == (2, True, False)
    assert [(row.cause, row.first_sequence) for row in stream.rows["sequence_gaps"]] == [("refused", 2), ("late", 2)]
    assert_counts_close(stream)


def test_several_that_break_in_one_record_are_all_found():
    stream = IsolatingStream()
    events = [rooms.edit(number, POISON if number % 3 == 0 else "x") for number in range(1, 41)]
    with bug_in_rows():
        stream.send(*events)
    assert stream.sequences() == [number for number in range(1, 41) if number % 3]
    assert len(stream.isolated) == 13
    assert_counts_close(stream)


def test_an_event_that_waits_is_blamed_when_it_breaks_on_its_release_and_not_the_one_that_releases_it():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(POISONED, rooms.chat(3))
        assert stream.isolated == []
        made = stream.send(rooms.chat(1))
    assert stream.sequences("chat_messages") == [1, 3]
    (row,) = stream.rows["quarantined_events"]
    assert (row.event_id, row.body, row.reason) == (POISONED.event_id, body_of(POISONED), "operator_failed")
    assert (row.shard_id, row.sequence_number, row.position) == ("shard-1", "", -1)
    assert row.quarantine_id == f"session:tab-ada#2@{POISONED.event_id}"
    (audit,) = made["record_audit"]
    assert (audit.received, audit.stored, audit.pending, audit.quarantined, audit.released) == (1, 1, -1, 1, 1)
    assert stream.total("pending") == stream.total("released")
    stream.send(POISONED)
    assert stream.sequences("chat_messages") == [1, 3, 2]
    assert_counts_close(stream)


def test_an_event_that_waits_in_its_own_record_is_blamed_as_well():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(rooms.chat(3), POISONED, rooms.chat(1))
    assert sorted(stream.sequences("chat_messages")) == [1, 3]
    (row,) = stream.rows["quarantined_events"]
    assert (row.event_id, row.position, row.quarantine_id) == (POISONED.event_id, 1, "shard-1:1:1")
    assert_counts_close(stream)


def test_an_event_that_breaks_when_a_timer_releases_it_is_quarantined_and_the_others_pass():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(POISONED, rooms.chat(3), rooms.edit(2))
        stream.fire(after_ms=1_500)
    assert (stream.sequences("chat_messages"), stream.sequences(), stream.waits) == ([3], [2], False)
    assert stream.isolated == [POISONED.event_id]
    assert_counts_close(stream)


def test_an_event_that_breaks_when_the_next_record_closes_its_gap_is_quarantined_and_not_that_record():
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(POISONED)
        stream.send(rooms.edit(1), after_ms=5_000)
    assert (stream.sequences(), stream.isolated, stream.waits) == ([1], [POISONED.event_id], False)
    assert_counts_close(stream)


@given(
    order=st.permutations(range(12)),
    poisoned=st.sets(st.integers(0, 11)),
    cuts=st.sets(st.integers(1, 11)),
    delays=st.lists(st.sampled_from([0, 300, 1_200]), min_size=12, max_size=12),
)
def test_whatever_breaks_and_in_whatever_order_it_comes_the_rest_is_stored_as_if_the_contract_had_refused_it(
    order: list[int], poisoned: set[int], cuts: set[int], delays: list[int]
):
    def event(index: int) -> Any:
        text = POISON if index in poisoned else "x"
        return rooms.edit(1 + index // 2, text) if index % 2 else rooms.chat(1 + index // 2, text)

    def record(indices: list[int]) -> list[bytes]:
        return [rooms.encode(event(index)) for index in indices]

    edges = [0, *sorted(cuts), 12]
    parts = [order[start:end] for start, end in pairwise(edges)]
    isolating, refusing, at = IsolatingStream(), Stream(), 0
    for part, delay in zip(parts, delays, strict=False):
        at += delay
        lines = record(part)
        header = Header(1, rooms.ROOM, len(lines), "identity", "c", 1, rooms.START_MS)
        refused = [line.replace(b'"version":1', b'"version":0') if POISON.encode() in line else line for line in lines]
        arrived_at = rooms.START_MS + 3_600_000 + at
        with bug_in_rows():
            isolating.take(frame(header, lines), arrived_at=arrived_at)
        refusing.take(frame(header, refused), arrived_at=arrived_at)
        assert_counts_close(isolating)
    with bug_in_rows():
        isolating.fire(at + 10_000)
    refusing.fire(at + 10_000)
    assert_counts_close(isolating)
    assert isolating.total("pending") == isolating.total("released")
    assert sorted(isolating.isolated) == sorted(event(index).event_id for index in poisoned)
    for table in ("document_operations", "chat_messages"):
        assert isolating.rows.get(table) == refusing.rows.get(table)


def test_an_event_after_which_the_room_cannot_be_shown_is_found(monkeypatch: pytest.MonkeyPatch):
    healthy = udfs.room.live_row

    def live_row(room: Any, *rest: Any) -> Any:
        if any(session.user_id == "mallory" for session in room.present.values()):
            raise BugError("Mallory")
        return healthy(room, *rest)

    monkeypatch.setattr(udfs.room, "live_row", live_row)
    stream = IsolatingStream()
    mallory = rooms.joined(1, by=rooms.Writer("mallory", "tab-mallory"))
    stream.send(rooms.joined(1), rooms.chat(2), mallory, rooms.chat(3))
    assert stream.isolated == [mallory.event_id]
    assert stream.sequences("chat_messages") == [2, 3]
    assert_counts_close(stream)


def test_an_event_whose_row_cannot_be_encoded_is_found(monkeypatch: pytest.MonkeyPatch):
    output, make = ROUTES["chat.posted"]
    spoil = lambda event, *flags: object() if has_poison(event.payload) else make(event, *flags)  # noqa: E731
    monkeypatch.setitem(ROUTES, "chat.posted", (output, spoil))
    stream = IsolatingStream()
    stream.send(rooms.chat(1), POISONED, rooms.chat(3))
    assert (stream.isolated, stream.sequences("chat_messages")) == ([POISONED.event_id], [1, 3])


def test_a_refused_event_whose_refusal_breaks_is_quarantined_all_the_same(monkeypatch: pytest.MonkeyPatch):
    def explain(*_: Any) -> Any:
        raise BugError

    monkeypatch.setattr("udfs.decode.explain", explain)
    stream = IsolatingStream()
    bad = b'{"type":"chat.posted"}'
    lines = [rooms.encode(rooms.chat(1)), bad, rooms.encode(rooms.chat(2))]
    stream.take(frame(Header(1, rooms.ROOM, 3, "identity", "c", 1, rooms.START_MS), lines))
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.body, row.event_id, row.position) == ("operator_failed", bad.decode(), None, 1)
    assert stream.sequences("chat_messages") == [1, 2]
    assert_counts_close(stream)


def test_an_event_whose_place_cannot_be_kept_is_quarantined_without(monkeypatch: pytest.MonkeyPatch):
    def leave_hole(*_: Any) -> bool:
        raise BugError

    monkeypatch.setattr(seq, "leave_hole", leave_hole)
    stream = IsolatingStream()
    with bug_in_rows():
        stream.send(rooms.chat(1), POISONED, rooms.chat(3))
        stream.fire(after_ms=2_000)
    assert (stream.isolated, stream.sequences("chat_messages")) == ([POISONED.event_id], [1, 3])
    assert [row.cause for row in stream.rows["sequence_gaps"]] == ["timeout"]
    assert_counts_close(stream)


def test_a_record_that_breaks_before_any_event_is_seen_is_quarantined_whole(monkeypatch: pytest.MonkeyPatch):
    stream = IsolatingStream()
    stream.send(rooms.edit(2))
    record = rooms.record([rooms.chat(1)])

    def unframe(*_: Any) -> Any:
        raise BugError("unreadable")

    monkeypatch.setattr(udfs.batch, "open_record", unframe)
    monkeypatch.setattr(udfs.room, "unframe", unframe)
    stream.take(record, arrived_at=rooms.START_MS + 3_605_000)
    (row,) = stream.rows["quarantined_events"]
    assert (row.reason, row.position, row.body_bytes, row.sequence_number) == ("operator_failed", -1, len(record), "2")
    assert (stream.sequences(), stream.waits) == ([2], False)
    assert_counts_close(stream)


def test_what_waits_along_a_key_whose_gap_cannot_be_closed_is_quarantined_and_other_keys_go_on(
    monkeypatch: pytest.MonkeyPatch,
):
    healthy = seq.declare_gap

    def declare_gap(state: Any, *rest: Any) -> Any:
        if 2 in state.pending:
            raise BugError
        return healthy(state, *rest)

    monkeypatch.setattr(seq, "declare_gap", declare_gap)
    stream = IsolatingStream()
    stream.send(POISONED, rooms.chat(4), rooms.edit(3))
    stream.fire(after_ms=1_500)
    assert (stream.sequences(), stream.waits) == ([3], False)
    assert set(stream.isolated) == {POISONED.event_id, rooms.chat(4).event_id}
    assert stream.total("pending") == stream.total("released")
    stream.send(*(rooms.chat(number) for number in range(1, 5)))
    assert stream.sequences("chat_messages") == [1, 2, 3, 4]
    assert not any(row.late for row in stream.rows["chat_messages"])
    assert_counts_close(stream)


def test_places_are_not_kept_along_a_key_whose_gap_cannot_be_closed(monkeypatch: pytest.MonkeyPatch):
    def declare_gap(*_: Any) -> Any:
        raise BugError

    monkeypatch.setattr(seq, "declare_gap", declare_gap)
    stream = IsolatingStream(rules=Rules(release="test", pending_events=1))
    stream.send(rooms.edit(1), rooms.chat(2), rooms.chat(4), rooms.chat(6), rooms.edit(2))
    assert (stream.sequences(), len(stream.isolated)) == ([1, 2], 2)
    assert_counts_close(stream)


def test_an_event_that_came_into_a_place_kept_for_it_is_blamed_where_it_came():
    stream = IsolatingStream()
    refused = rooms.encode(POISONED).replace(b'"version":1', b'"version":0')
    stream.take(frame(Header(1, rooms.ROOM, 1, "identity", "c", 1, rooms.START_MS), [refused]))
    with bug_in_rows():
        stream.send(POISONED, rooms.chat(1))
    assert [row.quarantine_id for row in stream.rows["quarantined_events"]] == ["shard-1:1:0", "shard-1:2:0"]
    assert (stream.sequences("chat_messages"), stream.waits) == ([1], False)
    assert_counts_close(stream)


def test_what_time_alone_brings_about_is_put_off_where_it_breaks_and_records_are_stored(
    monkeypatch: pytest.MonkeyPatch,
):
    def close_silent(_: Any) -> None:
        raise BugError

    stream = IsolatingStream()
    stream.send(rooms.queued(1), rooms.started(2))
    monkeypatch.setattr(udfs.room.Step, "_close_silent", close_silent)
    stream.send(rooms.edit(1), after_ms=1_000)
    assert stream.fire(after_ms=2_000) == {}
    assert (stream.sequences(), "quarantined_events" in stream.rows) == ([1], False)
    assert stream.last is not None
    assert "put off" in stream.last.isolated[0]
    assert_counts_close(stream)


def test_a_step_that_passes_when_it_is_tried_again_hides_nothing():
    left = [2]

    def breaks(_: Any) -> bool:
        left[0] -= 1
        return left[0] >= 0

    stream = IsolatingStream()
    with bug_in_rows(breaks):
        stream.send(rooms.chat(1), rooms.chat(2))
    assert (stream.sequences("chat_messages"), stream.isolated) == ([1, 2], [])
    assert stream.last is not None
    assert (stream.last.failures, stream.last.isolated) == (2, [])


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_is_no_bug_is_never_isolated(error: type[BaseException]):
    def breaks(_: Any) -> bool:
        raise error

    stream = IsolatingStream()
    with bug_in_rows(breaks), pytest.raises(error):
        stream.send(rooms.chat(1))
    assert stream.rows == {}


def test_memory_that_runs_out_while_isolating_is_raised():
    failures = iter([BugError, MemoryError])

    def breaks(_: Any) -> bool:
        raise next(failures)

    stream = IsolatingStream()
    with bug_in_rows(breaks), pytest.raises(MemoryError):
        stream.send(rooms.chat(1))


def test_a_state_that_cannot_be_read_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch):
    def read(_: Any, ordering_key: str) -> bytes:
        raise OSError(ordering_key)

    monkeypatch.setattr(IsolatingStream, "read", read)
    stream = IsolatingStream()
    with pytest.raises(OSError, match="session:tab-ada"):
        stream.send(rooms.chat(1))


def test_a_state_that_cannot_be_decoded_is_not_paid_for_by_events():
    stream = IsolatingStream()
    stream.room = b"not a state"
    with pytest.raises(Exception, match=r"MessagePack|Expected"):
        stream.send(rooms.chat(1))


def test_nothing_is_isolated_where_that_is_switched_off():
    stream = IsolatingStream(isolation=IsolationRules(after_failures=0))
    with bug_in_rows(), pytest.raises(BugError):
        stream.send(rooms.chat(1, POISON))


def test_more_than_may_be_isolated_is_raised_with_what_to_set_and_the_cause():
    stream = IsolatingStream(isolation=IsolationRules(at_most=2, window_ms=60_000))
    with bug_in_rows():
        for number in (1, 2):
            stream.send(rooms.chat(number, POISON), after_ms=number)
        with pytest.raises(TooMuchToIsolateError, match="isolate_at_most=2") as raised:
            stream.send(rooms.chat(3, POISON), after_ms=3)
        assert "BugError: no row for this one" in str(raised.value).splitlines()[0]
        assert (len(stream.isolated), stream.total("received")) == (2, 2)
        stream.send(rooms.chat(3, POISON), after_ms=60_001)
    assert len(stream.isolated) == 3


def test_the_log_says_where_and_what_broke_without_any_content():
    stream = IsolatingStream()

    def breaks(payload: Any) -> bool:
        raise BugError(f"bad: {payload.text}")

    with bug_in_rows(breaks):
        stream.send(rooms.chat(1, "a secret"))
    assert stream.last is not None
    (line,) = stream.last.isolated
    assert line.startswith("shard-1:1:0: BugError\n  at ")
    assert "secret" not in line


def test_the_audit_of_a_released_poison_closes_by_type_and_hour():
    stream = IsolatingStream(rules=Rules(release="test"))
    with bug_in_rows():
        stream.send(rooms.chat(2, POISON), rooms.edit(1))
        made = stream.send(rooms.chat(1), after_ms=100)
    (audit,) = made["record_audit"]
    by_type = {row.type: (row.received, row.stored, row.quarantined, row.pending) for row in audit.by_type}
    assert by_type == {"chat.posted": (1, 1, 1, -1)}
