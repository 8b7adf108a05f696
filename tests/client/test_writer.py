"""A session's writer numbers its events per ordering key and takes splits into account."""

import msgspec
import pytest
from fake_stream import FakeStream, settings

from codewave.client import EventTooLargeError, EventWriter, Producer, SequenceNumbers
from codewave.contract.events import CursorMoved, CursorMovedPayload


def writer(**options) -> EventWriter:
    return EventWriter("blue", "tab-1", "ada", **options)


def test_the_edit_after_a_long_paste_follows_its_last_piece():
    ada = writer()
    pieces = ada.edit("main", [(0, 0, "x" * 10_000)], checksum=1)
    (after,) = ada.edit("main", [(0, 1, "")])
    assert [piece.sequence for piece in pieces] == [1, 2, 3]
    assert (after.sequence, after.payload.base_sequence) == (4, 3)


def test_each_ordering_key_counts_for_itself():
    ada = writer()
    sequences = [ada.edit(name, [(0, 0, "x")])[0].sequence for name in ("main", "other", "main")]
    cursor = ada.event(CursorMoved, "session:tab-1", CursorMovedPayload("main", 1))
    assert (*sequences, cursor.sequence) == (1, 1, 2, 1)


def test_a_peer_numbers_its_own_operations():
    ada = writer()
    (first,) = ada.edit("main", [(0, 0, "x")], peer="p1", parents=[])
    (other,) = ada.edit("main", [(0, 0, "x")], peer="p2", parents=[("p1", 1)])
    assert (first.ordering_key, first.sequence) == ("document:main/p1", 1)
    assert (other.ordering_key, other.sequence) == ("document:main/p2", 1)


def test_chunks_count_along_each_stream_and_sequences_along_the_execution():
    worker = writer()
    events = worker.output("run-1", "stdout", "x" * 5_000)
    events += worker.output("run-1", "stderr", "oops")
    events += worker.output("run-1", "stdout", "done")
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [(event.payload.stream, event.payload.chunk) for event in events] == [
        ("stdout", 1),
        ("stdout", 2),
        ("stderr", 1),
        ("stdout", 3),
    ]


def test_numbers_go_on_where_an_earlier_writer_ended():
    (event,) = writer(numbers=SequenceNumbers({"document:main": 17})).edit("main", [(0, 0, "x")])
    assert (event.sequence, event.payload.base_sequence) == (18, 17)


def test_an_execution_that_was_forgotten_takes_no_memory():
    worker = writer()
    worker.output("run-1", "stdout", "x")
    worker.forget_execution("run-1")
    assert worker.numbers.last("execution:run-1") == 0
    assert worker.output("run-1", "stdout", "x")[0].payload.chunk == 1


def test_a_refused_edit_takes_no_number():
    ada = writer()
    ada.edit("main", [(0, 0, "x")])
    with pytest.raises(EventTooLargeError):
        ada.edit("main", [(0, 0, "x")], parents=[("peer", number + 1) for number in range(1_000)])
    assert ada.numbers.last("document:main") == 1


def test_sent_pieces_are_counted_as_split():
    stream = FakeStream()
    with Producer(stream, settings()) as producer:
        producer.send_pieces(writer().edit("main", [(0, 0, "x" * 10_000)]))
    assert (producer.counters.events, producer.counters.split) == (3, 2)
    assert stream.sequences() == {"blue": [1, 2, 3]}


def test_the_clock_and_the_ids_can_be_given():
    ada = writer(clock=lambda: 1_700_000_000_000, new_id=lambda millis: f"id-of-{millis}")
    (event,) = ada.edit("main", [(0, 0, "x")])
    assert (event.event_id, event.occurred_at) == ("id-of-1700000000000", 1_700_000_000_000)
    assert msgspec.json.decode(msgspec.json.encode(event))["type"] == "document.edited"
