"""The player: order, pace, received_at, stopping, and the truth it returns."""

from collections import defaultdict
from pathlib import Path

import pytest
from recording_sink import START_MS, HandClock, RecordingSink, options, small_trace, write_trace

from codewave.workload.options import WorkloadOptions
from codewave.workload.player import SLICE_S, Player
from codewave.workload.traces import Trace, read_trace


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return read_trace(write_trace(tmp_path / "small.json.gz", small_trace()))


def play(
    chosen: WorkloadOptions, traces: list[Trace] | None = None, clock: HandClock | None = None
) -> tuple[RecordingSink, HandClock]:
    sink, clock = RecordingSink(), clock or HandClock()
    Player(traces or [], chosen, sink, clock).play()
    return sink, clock


def test_everything_sent_is_flushed_at_the_end() -> None:
    assert play(options())[0].flushes == 1


def test_traces_and_rooms_are_merged_by_virtual_time(trace: Trace) -> None:
    events = play(options(rooms=2, seconds=30), [trace])[0].valid_events()
    times = [event.occurred_at for event in events]
    assert times == sorted(times)
    assert len({event.room_id for event in events}) == 3


def test_a_trace_plays_whole_without_rooms(trace: Trace) -> None:
    assert len(play(options(rooms=0, seconds=1), [trace])[0].taken) == 2


def test_within_an_ordering_key_events_are_sent_in_sequence(trace: Trace) -> None:
    sequences: dict[str, list[int]] = defaultdict(list)
    for event in play(options(), [trace])[0].valid_events():
        sequences[event.ordering_key].append(event.sequence)
    for numbers in sequences.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_rate_bounds_events_a_second() -> None:
    sink, clock = play(options(rate=50))
    assert clock.elapsed() == pytest.approx((len(sink.taken) - 1) / 50, abs=0.01)


def test_without_a_rate_nothing_waits() -> None:
    assert play(options())[1].sleeps == []


def test_received_at_is_the_time_of_sending() -> None:
    events = play(options(rate=10, seconds=10))[0].valid_events()
    for number, event in enumerate(events):
        assert event.received_at == pytest.approx(START_MS + number * 100, abs=2)


def test_received_at_is_all_that_differs_when_a_workload_is_sent_again() -> None:
    later = HandClock()
    later.seconds = 1_000.0
    first, second = play(options())[0].valid_events(), play(options(), clock=later)[0].valid_events()
    assert first != second
    for event in [*first, *second]:
        event.received_at = 0
    assert first == second


def test_at_a_low_rate_held_events_still_go_in_time() -> None:
    class Sink(RecordingSink):
        def send_encoded(self, room_id: str, encoded: bytes) -> None:
            super().send_encoded(room_id, encoded)
            sent_ms.append(clock.now_ms())

    clock, sink = HandClock(), Sink()
    sent_ms: list[int] = []
    Player([], options("reorder=0.5", rate=0.5, seconds=2), sink, clock).play()
    waited = [sent - event.received_at for sent, event in zip(sent_ms, sink.valid_events(), strict=True)]
    assert 0 < max(waited) < 500


def test_no_sleep_is_longer_than_a_slice() -> None:
    assert max(play(options(rate=1, seconds=2))[1].sleeps) <= SLICE_S


def test_stopping_ends_in_good_order_with_the_truth_so_far() -> None:
    sink = RecordingSink()
    player = Player([], options("reorder=0.3 duplicate=0.3"), sink, HandClock())
    truth = player.play(stopped=lambda: len(sink.taken) >= 50)
    assert truth.interrupted
    assert len(sink.taken) == truth.events + truth.injected.duplicate
    assert len({event.event_id for event in sink.valid_events()}) == truth.events
    assert sink.flushes == 1


def test_progress_ends_with_all_events_sent() -> None:
    sink = RecordingSink()
    seen: list[tuple[int, int]] = []
    Player([], options(rate=100), sink, HandClock()).play(lambda sent, expected: seen.append((sent, expected)))
    assert len(seen) > 5
    assert seen[-1] == (len(sink.taken), len(sink.taken))
    assert [sent for sent, _ in seen] == sorted(sent for sent, _ in seen)
