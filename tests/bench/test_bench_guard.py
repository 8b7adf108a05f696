"""The guard: it names what became slower, and nothing else."""

import msgspec
import pytest

from bench.guard import slower
from bench.results import Result

BEFORE = Result(
    name="ours: throughput", value=1_000, low=900, high=1_100, unit="events/s", machine="m", date="d", commit="c"
)
CPU_BEFORE = msgspec.structs.replace(BEFORE, name="ours: CPU time", unit="µs/event", value=10, low=9, high=12)


def changed(result: Result, **changes: object) -> Result:
    return msgspec.structs.replace(result, **changes)


@pytest.mark.parametrize(("now", "told"), [(764, True), (766, False), (2_000, False)])
def test_throughput_is_told_when_it_is_15_percent_below_the_worst_committed_run(now: float, told: bool):
    assert bool(slower([changed(BEFORE, value=now)], [BEFORE])) is told


@pytest.mark.parametrize(("now", "told"), [(13.9, True), (13.7, False), (5, False)])
def test_cpu_time_is_told_when_it_is_15_percent_above_the_worst_committed_run(now: float, told: bool):
    assert bool(slower([changed(CPU_BEFORE, value=now)], [CPU_BEFORE])) is told


def test_what_is_told_names_the_figure_and_both_values():
    told = slower([changed(BEFORE, value=500)], [BEFORE])
    assert [str(one) for one in told] == ["ours: throughput: 500 events/s, was 1,000 (-50%)"]


@pytest.mark.parametrize(
    "change",
    [{"machine": "another"}, {"name": "new: throughput"}, {"baseline": "other: throughput"}, {"unit": "s"}],
    ids=["another kind of machine", "a new figure", "a ratio", "start-up"],
)
def test_what_cannot_be_compared_is_passed_over(change: dict[str, str]):
    assert slower([changed(BEFORE, value=1, **change)], [BEFORE]) == []


def test_without_a_spread_the_committed_value_itself_is_the_measure():
    before = changed(BEFORE, low=None, high=None)
    assert slower([changed(BEFORE, value=840)], [before])
    assert not slower([changed(BEFORE, value=860)], [before])
