"""What a producer makes of events: batches per room, framed and numbered."""

import msgspec
import pytest
from fake_stream import Chatter, FakeStream, settings, wait_until

from codewave.client import EventTooLargeError, Producer, ProducerClosedError
from codewave.contract.frame import unframe
from codewave.contract.limits import Limits
from codewave.errors import WrongUseError


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def chatter() -> Chatter:
    return Chatter()


def test_events_of_a_room_become_one_record_keyed_by_the_room(stream, chatter):
    with Producer(stream, settings(linger_ms=10_000)) as producer:
        for room in ("blue", "red", "blue"):
            producer.send(chatter.message(room))
    assert stream.sequences() == {"blue": [1, 2], "red": [1]}
    assert len(stream.arrived) == 2


def test_the_header_says_who_sent_what_when(stream, chatter):
    with Producer(stream, settings(collector="web-7"), clock=lambda: 1_700_000_000_123) as producer:
        producer.send(chatter.message("blue"))
        producer.send(chatter.message("blue"))
    (header,) = stream.headers()
    assert msgspec.structs.asdict(header) == {
        "v": 1,
        "room_id": "blue",
        "count": 2,
        "encoding": "zstd",
        "collector": "web-7",
        "batch": 1,
        "sent_at": 1_700_000_000_123,
    }


def test_a_batch_goes_by_itself_when_it_is_old_enough(stream, chatter):
    with Producer(stream, settings(linger_ms=20)) as producer:
        producer.send(chatter.message("blue"))
        wait_until(lambda: len(stream.arrived) == 1, "the record of one event")


def test_a_batch_goes_when_it_has_enough_events(stream, chatter):
    with Producer(stream, settings(linger_ms=60_000, batch_events=3)) as producer:
        for _ in range(7):
            producer.send(chatter.message("blue"))
        wait_until(lambda: stream.sequences().get("blue") == [1, 2, 3, 4, 5, 6], "two full batches")
    assert [header.count for header in stream.headers()] == [3, 3, 1]


def test_a_batch_never_exceeds_its_bytes(stream, chatter):
    with Producer(stream, settings(linger_ms=60_000, batch_bytes=2_000)) as producer:
        for _ in range(20):
            producer.send(chatter.message("blue", "x" * 400))
    bodies = [sum(len(line) + 1 for line in unframe(data)[1]) for _, data in stream.arrived]
    assert max(bodies) <= 2_000
    assert min(bodies[:-1]) > 1_000
    assert stream.sequences() == {"blue": list(range(1, 21))}


def test_batch_numbers_are_contiguous_from_1_over_all_rooms_and_senders(stream, chatter):
    with Producer(stream, settings(senders=4, linger_ms=1)) as producer:
        for number in range(300):
            producer.send(chatter.message(f"room-{number % 40}"))
    batches = [header.batch for header in stream.headers()]
    assert sorted(batches) == list(range(1, len(batches) + 1))


def test_a_call_has_at_most_one_record_of_a_room_and_keeps_the_limits(stream, chatter):
    with Producer(stream, settings(call_records=7, call_bytes=20_000, encoding="identity", senders=1)) as producer:
        for number in range(400):
            producer.send(chatter.message(f"room-{number % 20}", "x" * 200))
    for call in stream.calls:
        assert len(call) <= 7
        assert len({key for key, _ in call}) == len(call)
        assert sum(len(key) + len(data) for key, data in call) <= 20_000


def test_received_at_is_set_on_what_is_sent_and_not_on_the_callers_event(stream, chatter):
    event = chatter.message("blue")
    event.received_at = 5
    with Producer(stream, settings(), clock=lambda: 1_700_000_000_123) as producer:
        producer.send(event)
    (line,) = unframe(stream.arrived[0][1])[1]
    assert msgspec.json.decode(line)["received_at"] == 1_700_000_000_123
    assert event.received_at == 5


def test_received_at_stays_where_a_collector_has_set_it(stream, chatter):
    event = chatter.message("blue")
    event.received_at = 5
    with Producer(stream, settings(stamp_received_at=False)) as producer:
        producer.send(event)
    (line,) = unframe(stream.arrived[0][1])[1]
    assert msgspec.json.decode(line)["received_at"] == 5


def test_an_event_above_the_limit_is_refused_and_nothing_of_it_sent(stream, chatter):
    with Producer(stream, settings()) as producer, pytest.raises(EventTooLargeError, match=r"limit is 4096"):
        producer.send(chatter.message("blue", "x" * 4_096))
    assert stream.calls == []
    assert producer.counters.events == 0


def test_the_limit_of_a_type_wins_over_the_general_one(stream, chatter):
    limits = Limits(event_bytes_by_type={"chat.posted": 8_192})
    with Producer(stream, settings(limits=limits)) as producer:
        producer.send(chatter.message("blue", "x" * 5_000))
    assert stream.sequences() == {"blue": [1]}


def test_a_lone_surrogate_is_refused_with_the_events_id(stream, chatter):
    event = chatter.message("blue", "\ud83d")
    with Producer(stream, settings()) as producer, pytest.raises(WrongUseError, match=event.event_id):
        producer.send(event)


@pytest.mark.parametrize("room_id", ["", "a b", "x" * 65, "blue\n", "é"])
def test_a_room_id_that_would_spoil_the_header_is_refused(stream, room_id):
    with Producer(stream, settings()) as producer, pytest.raises(WrongUseError, match="room id"):
        producer.send_encoded(room_id, b"{}")


def test_encoded_events_go_as_they_are_even_above_the_event_limit(stream):
    lines = [b"not json", b'{"a":"' + b"x" * 100_000 + b'"}']
    with Producer(stream, settings()) as producer:
        for line in lines:
            producer.send_encoded("blue", line)
    assert unframe(stream.arrived[0][1])[1] == lines


@pytest.mark.parametrize("encoded", [b"", b'{\n"a":1}'])
def test_encoded_events_that_would_break_their_batch_are_refused(stream, encoded):
    with Producer(stream, settings()) as producer, pytest.raises(WrongUseError, match="one line"):
        producer.send_encoded("blue", encoded)


def test_an_encoded_event_that_no_record_holds_is_refused(stream):
    with Producer(stream, settings()) as producer, pytest.raises(EventTooLargeError, match="1048577 bytes"):
        producer.send_encoded("blue", b"x" * (1024 * 1024 + 1))


def test_the_largest_encoded_event_fits_into_a_record_even_incompressible(stream):
    import random

    configured = settings()
    line = random.Random(1).randbytes(configured.largest_line_bytes).replace(b"\n", b"x")
    with Producer(stream, configured) as producer:
        producer.send_encoded("blue", line)
    ((key, data),) = stream.arrived
    assert len(key) + len(data) <= configured.limits.record_bytes
    assert unframe(data)[1] == [line]


def test_a_ready_record_keeps_its_place_between_the_events_of_its_room(stream, chatter):
    with Producer(stream, settings(linger_ms=60_000)) as producer:
        producer.send(chatter.message("blue"))
        producer.send_record("blue", b"corrupt")
        producer.send(chatter.message("blue"))
    assert [data == b"corrupt" for _, data in stream.arrived] == [False, True, False]
    assert [header.batch for header in (unframe(stream.arrived[n][1])[0] for n in (0, 2)) if header] == [1, 2]


def test_a_record_above_the_limit_is_refused(stream):
    with Producer(stream, settings()) as producer, pytest.raises(EventTooLargeError, match="record"):
        producer.send_record("blue", b"x" * (1024 * 1024))


def test_flush_returns_when_the_stream_has_everything(stream, chatter):
    with Producer(stream, settings(linger_ms=60_000)) as producer:
        producer.send(chatter.message("blue"))
        producer.flush(timeout_s=10)
        assert stream.sequences() == {"blue": [1]}
        assert producer.counters.buffered == 0


def test_a_closed_producer_takes_nothing(stream, chatter):
    producer = Producer(stream, settings())
    producer.close()
    producer.close()
    with pytest.raises(ProducerClosedError):
        producer.send(chatter.message("blue"))


def test_counters_add_up_after_close(stream, chatter):
    with Producer(stream, settings()) as producer:
        for number in range(100):
            producer.send(chatter.message(f"room-{number % 3}"))
    counters = producer.counters
    assert (counters.events, counters.buffered, counters.buffered_bytes, counters.failed) == (100, 0, 0, 0)
    assert counters.records == len(stream.arrived)
    assert counters.bytes_after == sum(len(data) for _, data in stream.arrived) < counters.bytes_before


@pytest.mark.parametrize("wrong", [{"collector": ""}, {"senders": 0}, {"batch_bytes": 2**20}, {"linger_ms": -1}])
def test_settings_that_cannot_work_are_refused_by_name(wrong):
    with pytest.raises(WrongUseError, match=next(iter(wrong))):
        settings(**wrong)
