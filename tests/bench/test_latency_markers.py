"""Markers: valid events, in order within their rooms, sent one by one and searched for until they are found."""

import threading
import time
from collections import defaultdict
from typing import Any

import pytest

from bench import latency_markers
from bench.latency_markers import ROOMS, Markers, marker
from codewave.contract.frame import unframe
from codewave.contract.limits import DEFAULT_LIMITS
from codewave.local.namespace import LIVE, Namespace
from codewave.local.settings import load_settings
from udfs.decode import Decoder

NOW_MS = 1_767_225_600_000


def test_markers_are_valid_events_that_leave_no_gap_in_any_room():
    sequences = defaultdict(list)
    for number in range(1, 3 * ROOMS + 1):
        room_id, event_id, record = marker(number, NOW_MS)
        header, body = unframe(record)
        assert isinstance(body, list)
        assert header is not None
        assert (header.room_id, header.batch, header.count) == (room_id, number, 1)
        event, _ = Decoder(room_id, DEFAULT_LIMITS).decode(body[0])  # type: ignore[misc]
        assert (event.event_id, event.room_id) == (event_id, room_id)
        sequences[event.ordering_key].append(event.sequence)
    assert len(sequences) == ROOMS
    assert all(found == [1, 2, 3] for found in sequences.values())


class Stream:
    def __init__(self) -> None:
        self.rooms: list[str] = []
        self.failure: Exception | None = None
        self.asked = threading.Event()

    def put_record(self, *, StreamName: str, PartitionKey: str, Data: bytes) -> None:  # noqa: N803 -- boto3's
        self.asked.set()
        if self.failure:
            raise self.failure
        assert StreamName == "codewave-rooms"
        assert Data
        self.rooms.append(PartitionKey)


class Search:
    """Finds a message at the third search for it."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def search(self, *, index: str, body: Any, params: Any) -> Any:
        assert index == "chat-*"
        assert params["ignore_unavailable"] == "true"
        wanted = body["query"]["terms"]["event_id"]
        with self._lock:
            for event_id in wanted:
                self._asked[event_id] += 1
            hits = [{"_source": {"event_id": event_id}} for event_id in wanted if self._asked[event_id] >= 3]
        return {"hits": {"hits": hits}}


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    stream = Stream()
    monkeypatch.setattr(latency_markers, "kinesis_client", lambda _: stream)
    monkeypatch.setattr(latency_markers, "search_client", lambda *_: Search())
    monkeypatch.setattr(latency_markers, "EVERY_S", 0.02)
    monkeypatch.setattr(latency_markers, "POLL_S", 0.005)
    return stream


def markers(first: int) -> Markers:
    return Markers(load_settings(environment={}), Namespace(LIVE), first)


def wait_for(stream: Stream, count: int) -> None:
    give_up = time.monotonic() + 20
    while len(stream.rooms) < count and time.monotonic() < give_up:
        time.sleep(0.01)


def test_every_marker_that_was_sent_is_waited_for_until_it_is_found(stream: Stream):
    with markers(first=7) as running:
        wait_for(stream, 4)
    assert len(running.sent) >= 4
    assert running.sent.keys() == running.found_ms.keys()
    assert list(running.sent.values()) == list(range(7, running.next_number))
    assert stream.rooms[0] == "marker-07"


def test_a_stream_that_takes_no_marker_is_an_error_of_the_run(stream: Stream):
    stream.failure = ConnectionError("gone")
    with pytest.raises(ConnectionError, match="gone"), markers(first=1):
        assert stream.asked.wait(20)
