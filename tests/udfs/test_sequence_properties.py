"""What is promised of order and duplicates, each promise as a property over anything that may arrive."""

from collections import Counter
from typing import Any

import example_rooms as rooms
import msgspec
from arrivals import EVENT_TABLES, EXECUTION, GOOD, KEYS, Moment, Offered, cut, offered, record, schedules
from hypothesis import assume, given
from hypothesis import strategies as st
from stream import ARRIVED_MS, Stream

from udfs.quarantine import Record
from udfs.room import Step
from udfs.rules import Rules
from udfs.sequence import FINGERPRINT_BYTES
from udfs.state import KeyStates, RoomState, key_bytes_bound, room_bytes_bound, write_room

CONTRACT = Rules(release="test")
SMALL = Rules(release="test", pending_events=4, pending_bytes=2_500, waiting_keys=2, holes=3, fingerprints=6)
ALL_KEYS = (*KEYS, EXECUTION)
RULES = st.sampled_from([CONTRACT, SMALL])
PLACE_IN_STREAM = ("quarantine_id", "sequence_number", "position")
AUDIT_SUMS = ("received", "stored", "duplicate", "quarantined", "pending", "released", "late")


def play(stream: Stream, moments: list[Moment], cuts: list[int] | None = None) -> Stream:
    """Let everything arrive; ``cuts``: one record each moment where there are none, else cut there."""
    for moment in moments:
        for part in cut(moment.events, cuts or []):
            stream.take(record(part), arrived_at=moment.at)
    return stream


def later(moments: list[Moment]) -> int:
    """When every gap has closed, in ms after the first arrival."""
    return moments[-1].at - ARRIVED_MS + 10_000


def without(rows: list[Any], *fields: str) -> list[dict[str, Any]]:
    """The rows as dicts, less some fields."""
    kept = [field for field in rows[0].__struct_fields__ if field not in fields] if rows else []
    return [{field: getattr(row, field) for field in kept} for row in rows]


def added_up(rows: list[Any], by: tuple[str, ...], *counts: str) -> dict[tuple[Any, ...], Counter[str]]:
    """Sums of ``counts`` over the rows that have the same ``by``."""
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in rows:
        group = sums.setdefault(tuple(getattr(row, field) for field in by), Counter())
        group.update({count: getattr(row, count) for count in counts})
    return sums


def by_key(rows: list[Any]) -> list[Any]:
    """Rows of each ordering key in their order; of different keys, it is nobody's business which comes first."""
    return sorted(rows, key=lambda row: getattr(row, "ordering_key", None) or getattr(row, "execution_id", ""))


def seen(stream: Stream) -> dict[str, Any]:
    """All that the stream stored, whatever its records were."""
    rows = stream.rows
    by_type = [counts for row in rows.get("record_audit", []) for counts in row.by_type]
    bursts = ("operations", "characters_inserted", "characters_deleted")
    return {
        **{table: by_key(rows.get(table, [])) for table in (*EVENT_TABLES, "sequence_gaps", "execution_outcomes")},
        "quarantined_events": without(by_key(rows.get("quarantined_events", [])), *PLACE_IN_STREAM),
        "activity": added_up(rows.get("activity", []), ("document_id", "user_id"), *bursts),
        "record_audit": added_up(rows.get("record_audit", []), (), *AUDIT_SUMS),
        "record_audit by type": added_up(by_type, ("type", "hour"), *AUDIT_SUMS[:-1]),
        "executions": {row.execution_id: row for row in rows.get("executions", [])},
    }


def accepted(stream: Stream) -> Counter[str]:
    """The ids of all stored events."""
    return Counter(row.event_id for table in EVENT_TABLES for row in stream.rows.get(table, []))


@given(data=st.data(), rules=RULES, cuts=st.lists(st.integers(0, 100), max_size=12))
def test_the_output_is_the_same_for_every_batching(data: st.DataObject, rules: Rules, cuts: list[int]):
    """Only the arrival times matter: cut into records anywhere, and one by one, the same rows are stored."""
    moments = data.draw(schedules(rules, keys=ALL_KEYS))
    whole, parts, single = (Stream(rules=rules) for _ in range(3))
    play(whole, moments)
    play(parts, moments, cuts)
    play(single, moments, list(range(100)))
    assert seen(parts) == seen(whole)
    assert seen(single) == seen(whole)
    for stream in (whole, parts, single):
        stream.fire(later(moments))
    assert seen(parts) == seen(single) == seen(whole)


@given(data=st.data(), rules=RULES)
def test_a_replay_from_any_checkpoint_stores_the_same(data: st.DataObject, rules: Rules):
    moments = data.draw(schedules(rules, keys=ALL_KEYS))
    stream, saved = Stream(rules=rules), []
    for moment in moments:
        saved.append(stream.checkpoint())
        stream.take(record(moment.events), arrived_at=moment.at)
    stream.fire(later(moments))
    first = {output: list(rows) for output, rows in stream.rows.items()}
    for index, checkpoint in enumerate(saved):
        stream.restore(checkpoint)
        play(stream, moments[index:])
        stream.fire(later(moments))
        assert {output: rows for output, rows in stream.rows.items() if rows} == first


@given(data=st.data(), timers=st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_replay_in_which_timers_fall_elsewhere_stores_the_same_events(data: st.DataObject, timers: list[bool]):
    moments = data.draw(schedules(CONTRACT, keys=ALL_KEYS))
    without_timers, with_timers = Stream(rules=CONTRACT), Stream(rules=CONTRACT)
    play(without_timers, moments)
    for moment, timer in zip(moments, timers, strict=False):
        play(with_timers, [moment])
        if timer:
            with_timers.fire(moment.at - ARRIVED_MS + 1_000)
    for stream in (without_timers, with_timers):
        stream.fire(later(moments))
    assert accepted(with_timers) == accepted(without_timers)


def stored_of(key: str, stream: Stream) -> dict[str, list[Any]]:
    """The rows of one ordering key."""
    rows = {table: stream.rows.get(table, []) for table in (*EVENT_TABLES, "sequence_gaps")}
    of_key = {table: [row for row in rows[table] if row.ordering_key == key] for table in rows}
    return of_key | ({"outcomes": stream.rows.get("execution_outcomes", [])} if key == EXECUTION else {})


class WatchfulStep(Step):
    """A step that looks at the state of all ordering keys after each event of its record."""

    def _place(self, *event: Any) -> None:
        super()._place(*event)
        self._look()

    def _refuse(self, *event: Any) -> None:
        super()._refuse(*event)
        self._look()

    def _look(self) -> None:
        rules = self._rules
        for state in self._keys._touched.values():
            assert len(state.pending) <= rules.pending_events
            assert state.pending_bytes == sum(len(waiting.line) for waiting in state.pending.values())
            assert state.pending_bytes <= rules.pending_bytes
            assert len(state.holes) <= rules.holes
            assert len(state.fingerprints) <= rules.fingerprints * FINGERPRINT_BYTES
            assert len(msgspec.msgpack.encode(state)) <= key_bytes_bound(rules)
        assert len(write_room(self._state)) <= room_bytes_bound(rules)


@given(data=st.data())
def test_the_state_of_a_key_is_bounded_after_every_event_even_within_a_record(data: st.DataObject):
    moments = data.draw(schedules(SMALL, keys=ALL_KEYS))
    everything = record([event for moment in moments for event in moment.events])
    step = WatchfulStep(rooms.ROOM, RoomState(), KeyStates(lambda _: None), SMALL, ARRIVED_MS)
    step.process(Record(everything, "shard-1", "1", ARRIVED_MS))


@given(data=st.data())
def test_a_gap_never_delays_other_keys_of_its_room(data: st.DataObject):
    """What is stored of a key is the same at every moment, whatever happens to the others."""
    moments = data.draw(schedules(CONTRACT, keys=ALL_KEYS))
    key = data.draw(st.sampled_from(ALL_KEYS))
    together, alone = Stream(rules=CONTRACT), Stream(rules=CONTRACT)
    for moment in moments:
        play(together, [moment])
        play(alone, [Moment(moment.at, [event for event in moment.events if event.arrival.key == key])])
        assert stored_of(key, together) == stored_of(key, alone)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Offered], int]:
    """Events of a few keys, each at least once, in any order; and how many there are without the repetitions."""
    counts = {key: draw(st.integers(0, 15)) for key in ALL_KEYS}
    events = [offered(key, number, GOOD) for key, count in counts.items() for number in range(1, count + 1)]
    assume(events)
    repeated = draw(st.lists(st.sampled_from(events), max_size=20))
    return draw(st.permutations([*events, *repeated])), len(events)


@given(drawn=shuffled(), cuts=st.lists(st.integers(0, 100), max_size=12), delays=st.lists(st.integers(0, 70)))
def test_without_loss_and_within_the_gap_timeout_any_order_and_repetition_is_stored_once_and_in_order(
    drawn: tuple[list[Offered], int], cuts: list[int], delays: list[int]
):
    (events, count), stream, at = drawn, Stream(rules=CONTRACT), ARRIVED_MS
    for part, delay in zip(cut(events, cuts), [*delays, *[0] * 13], strict=False):
        at = min(at + delay, ARRIVED_MS + 999)
        stream.take(record(part), arrived_at=at)
    assert not stream.waits
    assert "sequence_gaps" not in stream.rows
    assert not any(row.late for table in EVENT_TABLES for row in stream.rows.get(table, []))
    assert_in_order(stream)
    assert_each_once(stream, len(events), count)


@given(drawn=shuffled(), cuts=st.lists(st.integers(0, 100), max_size=12), delays=st.lists(st.integers(0, 2_000)))
def test_without_loss_any_order_and_repetition_is_stored_once_and_in_order_but_for_late_events(
    drawn: tuple[list[Offered], int], cuts: list[int], delays: list[int]
):
    (events, count), stream, at = drawn, Stream(rules=CONTRACT), ARRIVED_MS
    for part, delay in zip(cut(events, cuts), [*delays, *[0] * 13], strict=False):
        at += delay
        stream.take(record(part), arrived_at=at)
    stream.fire(at - ARRIVED_MS + 1_000)
    assert_in_order(stream)
    assert_each_once(stream, len(events), count)


def assert_in_order(stream: Stream) -> None:
    """Along each ordering key what is not late is in order, in every table."""
    for table in EVENT_TABLES:
        for key in ALL_KEYS:
            rows = [row.sequence for row in stream.rows.get(table, []) if row.ordering_key == key and not row.late]
            assert rows == sorted(rows)


def assert_each_once(stream: Stream, received: int, count: int) -> None:
    """Every event is stored once, and the counts close."""
    assert len(accepted(stream)) == accepted(stream).total() == count
    assert stream.total("received") == received
    assert stream.total("stored") + stream.total("released") == count
    assert stream.total("duplicate") == received - count
    assert stream.total("pending") == stream.total("released")
    assert stream.total("quarantined") == 0
