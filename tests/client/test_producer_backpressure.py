"""A producer's memory is bounded: ``send`` waits while the stream does not take what is buffered."""

import threading

import pytest
from fake_stream import Chatter, FakeStream, Records, settings, wait_until

from codewave.client import BufferFullError, Producer, ProducerClosedError, ProducerFailedError, UndeliveredError


class Gate:
    """A stream that answers only once it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, _call: int, records: Records) -> list[str | None]:
        assert self.open.wait(30)
        return [None] * len(records)


def test_send_waits_at_the_bound_of_events_and_goes_on_when_there_is_place():
    gate = Gate()
    stream, chatter = FakeStream(gate), Chatter()
    with Producer(stream, settings(max_buffered_events=10)) as producer:
        sent = []

        def run() -> None:
            for number in range(50):
                producer.send(chatter.message("blue"))
                sent.append(number)

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: len(sent) == 10, "a full buffer")
        assert producer.counters.buffered == 10
        gate.open.set()
        thread.join(10)
    assert stream.sequences() == {"blue": list(range(1, 51))}
    assert producer.counters.blocked_seconds > 0


def test_send_raises_when_the_buffer_stays_full_and_the_event_was_not_taken():
    gate = Gate()
    stream, chatter = FakeStream(gate), Chatter()
    producer = Producer(stream, settings(max_buffered_events=2, send_timeout_s=0.05))
    producer.send(chatter.message("blue"))
    producer.send(chatter.message("blue"))
    with pytest.raises(BufferFullError, match="2 events wait"):
        producer.send(chatter.message("blue"))
    gate.open.set()
    producer.close()
    assert stream.sequences() == {"blue": [1, 2]}


def test_buffered_bytes_never_exceed_their_bound():
    seen = []

    def fault(_call: int, records: Records) -> list[str | None]:
        seen.append(producer.counters.buffered_bytes)
        return [None] * len(records)

    stream, chatter = FakeStream(fault), Chatter()
    producer = Producer(stream, settings(max_buffered_bytes=20_000, linger_ms=1))
    for number in range(400):
        producer.send(chatter.message(f"room-{number % 5}", "x" * 500))
    producer.close()
    assert 1_000 < max(seen) <= 20_000
    assert producer.counters.events == 400


def test_an_event_larger_than_the_whole_buffer_still_goes():
    stream = FakeStream()
    with Producer(stream, settings(max_buffered_bytes=100)) as producer:
        for _ in range(3):
            producer.send_encoded("blue", b"x" * 1_000)
    assert producer.counters.events == 3


def test_close_frees_a_sender_that_waits_for_place():
    gate = Gate()
    producer, chatter = Producer(FakeStream(gate), settings(max_buffered_events=1, send_timeout_s=None)), Chatter()
    producer.send(chatter.message("blue"))
    raised = threading.Event()

    def run() -> None:
        with pytest.raises(ProducerClosedError):
            producer.send(chatter.message("blue"))
        raised.set()

    thread = threading.Thread(target=run)
    thread.start()
    with pytest.raises(UndeliveredError, match="1 events"):
        producer.close(timeout_s=0.05)
    assert raised.wait(10)
    gate.open.set()
    thread.join(10)


@pytest.mark.timeout(30)
def test_a_dead_sender_frees_a_caller_that_waits_for_place():
    def fault(_call: int, _records: Records) -> list[str | None]:
        wait_until(waiting.is_set, "a caller that waits")
        raise KeyError("stream not found")

    waiting = threading.Event()
    producer = Producer(FakeStream(fault), settings(max_buffered_events=1, send_timeout_s=None))
    chatter = Chatter()
    producer.send(chatter.message("blue"))
    threading.Timer(0.05, waiting.set).start()  # by then send waits; if not yet, it raises just the same
    with pytest.raises(ProducerFailedError):
        producer.send(chatter.message("blue"))
