"""The latency suite's reckoning: the highest rate, whether a rate is kept up with, and delays out of what was seen."""

from types import SimpleNamespace

import pytest

from bench import latency
from bench.contender import ContenderError
from bench.delays import Audited, percentile
from bench.latency import HOT, Look, Played, Run, delays, highest_rate, keeps_up, measure, results_of, searchable
from bench.latency_load import Part, room_ids
from bench.latency_markers import COLLECTOR
from bench.results import Origin

WHERE = Origin("x86_64, 2 cores", "2026-01-01T00:00:00+00:00", "abc1234")


@pytest.mark.parametrize("true_rate", [130, 900, 1_000, 5_300, 31_000])
def test_the_highest_rate_is_found_to_an_eighth_and_never_too_high(true_rate: float):
    assert true_rate * 7 / 8 <= highest_rate(lambda rate: rate <= true_rate) <= true_rate


def test_a_stack_that_sustains_nothing_is_an_error_and_not_tried_for_ever():
    with pytest.raises(ContenderError, match="does not sustain 100 events/s"):
        highest_rate(lambda _: False)


def looks(rate: float, received_rate: float, behind_s: float = 1.0) -> list[Look]:
    """A step of 20 s; what was received lags behind, and a checkpoint every 5 s holds it up for a while."""
    found = []
    for tick in range(80):
        at = tick / 4
        held_up = min(at % 5, 1.0)
        received = max(0.0, min(rate, received_rate) * (at - behind_s - held_up))
        found.append(Look(1_000 + at, round(rate * at), round(received)))
    return found


def test_a_rate_is_kept_up_with_where_the_backlog_stays_however_large_it_is():
    assert keeps_up(4_000, looks(4_000, 4_000, behind_s=3))


def test_a_rate_is_too_high_where_the_backlog_grows():
    assert not keeps_up(4_000, looks(4_000, 3_400))


def test_a_rate_that_the_sender_does_not_reach_does_not_count():
    assert not keeps_up(4_000, looks(3_600, 3_600))


def test_a_percentile_counts_each_delay_as_often_as_it_has_events():
    values = [(10.0, 98), (500.0, 1), (900.0, 1)]
    assert [percentile(share, values) for share in (0.5, 0.98, 0.99, 1.0)] == [10, 10, 500, 900]
    with pytest.raises(ContenderError, match="no delays"):
        percentile(0.5, [])


def record(room: str, delay_ms: int, events: int = 10, *, batch: int = 1, collector: str = "c", at: int = 0) -> Audited:
    return Audited(room, collector, batch, at, events, delay_ms)


def test_delays_are_weighted_by_events_and_may_be_of_some_rooms_alone():
    played = Played([record("a", 100, 99), record("b", 700, 1), record("hot", 5_000, 900)], [])
    assert delays("x", played) == {"x-p50": 5_000, "x-p99": 5_000}
    assert delays("x", played, frozenset({"a", "b"})) == {"x-p50": 100, "x-p99": 100}


def test_a_marker_is_searchable_after_the_time_from_its_arrival_in_the_stream_until_it_was_found():
    markers = SimpleNamespace(sent={"e1": 1, "e2": 2, "e3": 3}, found_ms={"e1": 900.0, "e2": 2_500.0, "e3": 3_300.0})
    records = [record("m", 5, batch=number, collector=COLLECTOR, at=number * 1_000 - 200) for number in (1, 2, 3)]
    records.append(record("m", 5, batch=2, collector="someone else", at=1))
    assert searchable(markers, records, range(1_000, 2_500)) == [700]  # type: ignore[arg-type]


def test_a_marker_that_was_never_found_is_an_error():
    markers = SimpleNamespace(sent={"e1": 1, "e2": 2}, found_ms={"e1": 1.0})
    with pytest.raises(ContenderError, match="1 of 2 markers"):
        searchable(markers, [], range(1))  # type: ignore[arg-type]


def test_a_pause_in_the_first_step_does_not_decide():
    answers = iter([False])
    assert highest_rate(lambda rate: next(answers, rate <= 6_000)) == 6_000


class FakeRun:
    """Plays at once: the delay is the rate, and the hot room's ten times as long."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def parts(self, rate: float, *, hot: bool = False) -> list[Part]:
        return [Part(1 if hot else 2, rate * HOT, 2), Part(8, rate * (1 - HOT), 1)]

    def play(self, parts: list[Part]) -> Played:
        self.rates.append(rate := sum(part.rate for part in parts))
        records = [record(room, round(rate)) for room in room_ids(parts[-1])]
        if parts[0].rooms == 1:
            records.append(record(room_ids(parts[0])[0], round(rate * 10)))
        return Played(records, [rate * 2])


def test_each_share_of_the_highest_rate_is_played_and_the_rooms_beside_a_hot_one_are_held_against_those_without():
    run = FakeRun()
    found = {one.name: one for one in results_of(4_000, measure(run, 4_000, lambda _: None), WHERE)}  # type: ignore[arg-type]
    rates = [1_000, 2_000, 2_000, 3_000]
    assert run.rates == pytest.approx(rates + rates[::-1])
    assert (found["latency-highest-rate"].value, found["latency-highest-rate"].unit) == (4_000, latency.SENT_PER_S)
    assert (found["latency-75-processed-p50"].value, found["latency-75-processed-p50"].unit) == (3_000, "ms")
    assert (found["latency-25-searchable-p99"].value, found["latency-25-searchable-p99"].runs) == (2_000, 2)
    beside = found["latency-50-beside-hot-room-processed-p99"]
    assert (beside.value, beside.baseline, beside.ratio) == (2_000, "latency-50-processed-p99", 1)
    assert found["latency-50-hot-room-processed-p50"].value == 20_000
    assert found["latency-50-hot-room-processed-p50"].baseline is None


def test_a_hot_room_has_a_fifth_of_everything_and_leaves_the_others_as_they_are_without_it():
    run = Run(None, print)  # type: ignore[arg-type]
    (instead, without), (hot, beside) = run.parts(5_000), run.parts(5_000, hot=True)
    assert (hot.rooms, hot.rate) == (1, pytest.approx(5_000 * HOT))
    assert (beside.rooms, beside.rate) == (without.rooms, pytest.approx(without.rate))
    assert instead.rate / instead.rooms == pytest.approx(without.rate / without.rooms)
    assert len({part.seed for part in (instead, without, hot, beside)}) == 4  # no room is played twice
