"""What a producer does when the stream fails: nothing lost, nothing doubled, order kept within a room."""

import os
import random
import threading
from collections import Counter

import pytest
from fake_stream import THROTTLED, Chatter, FakeStream, Records, settings, wait_until

from codewave.client import (
    FlushTimeoutError,
    Producer,
    ProducerClosedError,
    ProducerFailedError,
    RetryableTransportError,
    UndeliveredError,
)
from codewave.contract.frame import unframe


class RandomFaults:
    """Fails records, calls and connections by a seeded draw; may store what it says it did not."""

    def __init__(self, seed: int, *, lost_answers: bool = False) -> None:
        self._random = random.Random(seed)
        self._lost_answers = lost_answers
        self.stream: FakeStream | None = None

    def __call__(self, _call: int, records: Records) -> list[str | None]:
        draw = self._random.random()
        if draw < 0.15:
            raise ConnectionResetError("connection reset")
        if draw < 0.25:
            raise RetryableTransportError("ServiceUnavailable")
        if draw < 0.4 and self._lost_answers and self.stream:
            self.stream.arrived += records
            raise RetryableTransportError("ReadTimeoutError")
        return [self._random.choice([None, None, THROTTLED, "InternalFailure"]) for _ in records]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_fails_every_event_arrives_once_and_in_order_within_its_room(seed):
    stream, chatter = FakeStream(RandomFaults(seed)), Chatter()
    with Producer(stream, settings(senders=3, batch_events=5, linger_ms=1)) as producer:
        for number in range(1_500):
            producer.send(chatter.message(f"room-{number % 17}"))
    assert {room: list(range(1, len(got) + 1)) for room, got in stream.sequences().items()} == stream.sequences()
    assert sum(map(len, stream.sequences().values())) == 1_500
    assert sorted(header.batch for header in stream.headers()) == list(range(1, len(stream.arrived) + 1))
    assert producer.counters.retries > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_lost_answer_doubles_whole_records_with_their_batch_number_and_nothing_else(seed):
    faults = RandomFaults(seed, lost_answers=True)
    stream, chatter = FakeStream(faults), Chatter()
    faults.stream = stream
    with Producer(stream, settings(senders=1, batch_events=5, linger_ms=1)) as producer:
        for number in range(600):
            producer.send(chatter.message(f"room-{number % 7}"))
    assert max(Counter(stream.arrived).values()) > 1
    unique = list(dict.fromkeys(stream.arrived))
    assert len({header.batch for header in stream.headers()}) == len(unique)
    stream.arrived = unique
    assert stream.sequences() == {f"room-{n}": list(range(1, (600 - n + 6) // 7 + 1)) for n in range(7)}


def test_only_the_failed_record_of_a_call_is_sent_again_with_the_same_bytes():
    def fault(call: int, records: Records) -> list[str | None]:
        return [THROTTLED if call == 1 and key == "red" else None for key, _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings(senders=1, linger_ms=60_000)) as producer:
        for room in ("blue", "red", "green"):
            producer.send(chatter.message(room))
    first, second = stream.calls
    assert second == [record for record in first if record[0] == "red"]
    assert (producer.counters.retries, producer.counters.throttled) == (1, 1)


def test_a_room_that_fails_does_not_hold_up_the_others():
    recovered = threading.Event()

    def fault(_call: int, records: Records) -> list[str | None]:
        return [THROTTLED if key == "red" and not recovered.is_set() else None for key, _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings(senders=1, linger_ms=1)) as producer:
        for _ in range(50):
            producer.send(chatter.message("red"))
            producer.send(chatter.message("blue"))
        wait_until(lambda: len(stream.sequences().get("blue", [])) == 50, "all of the healthy room")
        assert "red" not in stream.sequences()
        recovered.set()
    assert stream.sequences()["red"] == list(range(1, 51))


def test_a_call_that_hangs_does_not_hold_up_the_rooms_of_another_sender():
    answered = threading.Event()

    def fault(_call: int, records: Records) -> list[str | None]:
        if records[0][0] == "room-0":
            assert answered.wait(30)
        return [None] * len(records)

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings(senders=2), room_hash=lambda room: int(room[-1])) as producer:
        producer.send(chatter.message("room-0"))
        producer.send(chatter.message("room-1"))
        wait_until(lambda: "room-1" in stream.sequences(), "the other sender's room")
        assert "room-0" not in stream.sequences()
        answered.set()


def test_while_a_room_waits_its_next_batch_fills_up_instead_of_becoming_many_small_ones():
    recovered = threading.Event()

    def fault(_call: int, records: Records) -> list[str | None]:
        return [None if recovered.is_set() else THROTTLED for _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings(senders=1, linger_ms=1)) as producer:
        producer.send(chatter.message("red"))
        wait_until(lambda: len(stream.calls) > 0, "the first try")
        for _ in range(20):
            tried = len(stream.calls)
            producer.send(chatter.message("red"))
            wait_until(lambda tried=tried: len(stream.calls) > tried, "another try")
        recovered.set()
    assert [header.count for header in stream.headers()] == [1, 20]


def test_a_stream_that_is_away_for_long_is_tried_until_it_is_back():
    def fault(call: int, records: Records) -> list[str | None]:
        if call <= 60:
            raise ConnectionRefusedError("nobody listens")
        return [None] * len(records)

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings()) as producer:
        producer.send(chatter.message("blue"))
    assert stream.sequences() == {"blue": [1]}
    assert producer.counters.retries == 60


def test_a_record_older_than_its_delivery_timeout_is_given_up_and_reported():
    def fault(_call: int, records: Records) -> list[str | None]:
        return [THROTTLED if key == "red" else None for key, _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    producer = Producer(stream, settings(delivery_timeout_s=0.05))
    for room in ("red", "red", "blue"):
        producer.send(chatter.message(room))
    with pytest.raises(UndeliveredError, match=f"2 events in 1 records .red.*{THROTTLED}") as caught:
        producer.flush(timeout_s=10)
    assert (caught.value.events, caught.value.records, caught.value.rooms) == (2, 1, ("red",))
    assert (producer.counters.failed, producer.counters.events, producer.counters.buffered) == (2, 1, 0)
    producer.close()


def test_close_under_failure_raises_with_what_could_not_be_delivered():
    stream, chatter = FakeStream(lambda _call, records: [THROTTLED] * len(records)), Chatter()
    producer = Producer(stream, settings(linger_ms=60_000))
    for number in range(10):
        producer.send(chatter.message(f"room-{number % 2}"))
    with pytest.raises(UndeliveredError) as caught:
        producer.close(timeout_s=0.1)
    assert (caught.value.events, caught.value.records, caught.value.rooms) == (10, 2, ("room-0", "room-1"))
    assert producer.counters.buffered == 10


def test_close_ends_the_sender_threads():
    before = threading.active_count()
    producer = Producer(FakeStream(), settings(senders=3))
    assert threading.active_count() == before + 3
    producer.close()
    assert threading.active_count() == before


def test_a_flush_that_times_out_leaves_the_events_buffered_and_being_sent():
    recovered = threading.Event()

    def fault(_call: int, records: Records) -> list[str | None]:
        return [None if recovered.is_set() else THROTTLED for _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings()) as producer:
        producer.send(chatter.message("blue"))
        with pytest.raises(FlushTimeoutError, match="1 events"):
            producer.flush(timeout_s=0.05)
        recovered.set()
        producer.flush(timeout_s=10)
    assert stream.sequences() == {"blue": [1]}


@pytest.mark.timeout(30)
def test_a_dead_sender_surfaces_at_the_next_call_with_its_cause():
    def fault(_call: int, _records: Records) -> list[str | None]:
        raise KeyError("stream not found")

    producer, chatter = Producer(FakeStream(fault), settings()), Chatter()
    producer.send(chatter.message("blue"))
    with pytest.raises(ProducerFailedError, match="stream not found") as caught:
        producer.flush(timeout_s=None)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(ProducerFailedError, match="1 events were still buffered"):
        producer.send(chatter.message("blue"))
    with pytest.raises(ProducerFailedError):
        producer.close()


def test_a_transport_that_answers_too_few_codes_is_an_error_and_not_a_loss():
    producer, chatter = Producer(lambda _records: [], settings()), Chatter()
    producer.send(chatter.message("blue"))
    with pytest.raises(ProducerFailedError, match="0 codes for 1 records"):
        producer.flush(timeout_s=10)


def test_several_threads_send_at_once_and_each_keeps_its_order():
    stream = FakeStream(RandomFaults(9))
    with Producer(stream, settings(senders=2, batch_events=20)) as producer:

        def run(room: str) -> None:
            chatter = Chatter()
            for _ in range(300):
                producer.send(chatter.message(room))

        threads = [threading.Thread(target=run, args=(f"room-{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stream.sequences() == {f"room-{number}": list(range(1, 301)) for number in range(6)}


def test_a_forked_child_is_told_to_make_its_own_producer():
    producer, chatter = Producer(FakeStream(), settings()), Chatter()
    child = os.fork()
    if child == 0:
        try:
            producer.send(chatter.message("blue"))
        except ProducerClosedError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    producer.close()


def test_a_full_batch_behind_a_failing_one_arrives_after_it():
    def fault(call: int, records: Records) -> list[str | None]:
        return [THROTTLED if call <= 5 else None for _ in records]

    stream, chatter = FakeStream(fault), Chatter()
    with Producer(stream, settings(batch_events=2)) as producer:
        for _ in range(6):
            producer.send(chatter.message("blue"))
    assert [len(unframe(data)[1]) for _, data in stream.arrived] == [2, 2, 2]
    assert stream.sequences() == {"blue": [1, 2, 3, 4, 5, 6]}
