"""The memory suite: growth is what goes on once everything is filled, whatever goes up and down meanwhile."""

import pytest

from bench.contender import ContenderError
from bench.flink_samples import Sample, Watched
from bench.memory import FILLED, INPUT, growth, results_of
from bench.results import US_PER_EVENT, Origin
from codewave.contract.limits import MIB

WHERE = Origin("x86_64, 2 cores", "2026-01-01T00:00:00+00:00", "abc1234")


def samples(growth_mib: float, later_cost: float = 1.0) -> list[Sample]:
    """One every 100,000 events: memory fills, then goes up and down, and up by so much with a million events.

    :param later_cost: seconds of CPU from one sample to the next in the second half of those that count; before them 1.
    """
    found = []
    cpu = 0.0
    for number in range(101):
        events = number * 100_000
        filled = min(events / FILLED, 1) * 900
        waves = 40 if number % 2 else 0
        rss = filled + waves + max(0, events - FILLED) / 1_000_000 * growth_mib
        found.append(Sample(at=number, events=events, cpu_seconds=cpu, rss_bytes=round(rss * MIB)))
        cpu += later_cost if events >= (FILLED + INPUT.events) // 2 else 1
    return found


def watched(growth_mib: float, later_cost: float = 1.0) -> Watched:
    return Watched(submitted_at=0, running_at=0, ended_at=101, samples=samples(growth_mib, later_cost), sinks={})


def by_name(growth_mib: float) -> dict[str, float]:
    return {result.name: result.value for result in results_of(watched(growth_mib), WHERE)}


def test_memory_that_only_fills_and_waves_does_not_grow():
    found = by_name(0)
    assert found["memory: growth"] == pytest.approx(0, abs=0.2)
    assert found["memory: second half"] == pytest.approx(found["memory: first half"], abs=40)
    assert found["memory: highest"] == 940


def test_memory_that_grows_is_told_by_the_million_events():
    assert by_name(25)["memory: growth"] == pytest.approx(25, abs=0.2)
    assert growth([one for one in samples(25) if one.events >= FILLED]) == pytest.approx(25 * MIB, rel=0.01)


def test_an_event_of_the_second_half_is_compared_with_one_of_the_first():
    for later in (1.0, 1.5):
        found = next(one for one in results_of(watched(0, later), WHERE) if one.unit == US_PER_EVENT)
        assert (found.value, found.ratio) == (pytest.approx(10 * later), pytest.approx(later))


def test_a_job_that_ended_before_everything_was_filled_says_nothing():
    early = Watched(submitted_at=0, running_at=0, ended_at=9, samples=samples(0)[:5], sinks={})
    with pytest.raises(ContenderError, match="nothing was seen"):
        results_of(early, WHERE)


def test_ten_million_events_are_kept_as_records_alone():
    assert INPUT.events == 10_000_000
    assert not INPUT.lines
