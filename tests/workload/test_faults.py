"""What chaos sends on top: refused by the stream, each for the reason that the truth expects."""

from collections import Counter

import pytest
from recording_sink import START_MS, HandClock, RecordingSink, options

from codewave.contract.frame import FrameError, unframe
from codewave.contract.limits import DEFAULT_LIMITS
from codewave.workload.faults import CORRUPT, MALFORMED, FaultSource
from codewave.workload.player import Player
from udfs.decode import Decoder
from udfs.refusal import Refusal

ROOM = "room-1"


@pytest.fixture
def source() -> FaultSource:
    return FaultSource("seed", DEFAULT_LIMITS.event_bytes)


def refused(line: bytes, room_id: str = ROOM) -> Refusal:
    refusal = Decoder(room_id, DEFAULT_LIMITS).decode(line)
    assert isinstance(refusal, Refusal)
    return refusal


def test_malformed_events_are_refused_for_every_reason_there_is(source: FaultSource) -> None:
    found = Counter(str(refused(source.malformed(ROOM, START_MS).data).reason) for _ in range(300))
    assert found == source.reasons
    assert set(found) == set(MALFORMED.values())


def test_oversized_events_are_refused_as_too_large(source: FaultSource) -> None:
    for _ in range(50):
        fault = source.oversized(ROOM, START_MS)
        assert len(fault.data) > DEFAULT_LIMITS.event_bytes
        assert refused(fault.data).reason == "too_large"


def test_corrupt_records_are_refused_for_every_reason_there_is(source: FaultSource) -> None:
    found: Counter[str] = Counter()
    for _ in range(100):
        fault = source.corrupt(ROOM, START_MS)
        assert fault.whole_record
        with pytest.raises(FrameError) as caught:
            unframe(fault.data)
        found[str(caught.value.reason)] += 1
    assert found == source.reasons
    assert set(found) == set(CORRUPT.values())


def test_a_bomb_is_small_until_it_is_opened(source: FaultSource) -> None:
    assert max(len(source.corrupt(ROOM, START_MS).data) for _ in range(100)) < 10_000


def test_malformed_events_fit_into_a_batch_of_lines(source: FaultSource) -> None:
    for _ in range(100):
        data = source.malformed(ROOM, START_MS).data
        assert data
        assert b"\n" not in data


def test_no_fault_uses_the_ordering_key_of_a_real_event(source: FaultSource) -> None:
    faults = [source.malformed(ROOM, START_MS).data for _ in range(100)]
    keys = [data.split(b'"ordering_key":"')[1].split(b'"')[0] for data in faults if b'"ordering_key":"' in data]
    assert keys
    assert all(key.partition(b":")[2].startswith(b"chaos-") for key in keys)
    assert len(set(keys)) == len(keys)


def test_the_truth_expects_the_refusals_that_a_played_workload_causes() -> None:
    sink = RecordingSink()
    truth = Player([], options("malformed=0.2 oversized=0.1 corrupt=0.1 duplicate=0.1"), sink, HandClock()).play()
    found: Counter[str] = Counter()
    for room_id, line in sink.taken:
        result = Decoder(room_id, DEFAULT_LIMITS).decode(line)
        if isinstance(result, Refusal):
            found[str(result.reason)] += 1
    for _, record in sink.records:
        with pytest.raises(FrameError) as caught:
            unframe(record)
        found[str(caught.value.reason)] += 1
    assert truth.quarantined == found
    assert truth.received == len(sink.taken) + len(sink.records)
