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


def single(result: Result, value: float, **changes: object) -> Result:
    """The result of a single run."""
    return changed(result, value=value, low=value, high=value, **changes)


@pytest.mark.parametrize(("now", "told"), [(764, True), (766, False), (2_000, False)])
def test_throughput_is_told_when_it_is_15_percent_below_the_worst_committed_run(now: float, told: bool):
    assert bool(slower([single(BEFORE, now)], [BEFORE])) is told


@pytest.mark.parametrize(("now", "told"), [(13.9, True), (13.7, False), (5, False)])
def test_cpu_time_is_told_when_it_is_15_percent_above_the_worst_committed_run(now: float, told: bool):
    assert bool(slower([single(CPU_BEFORE, now)], [CPU_BEFORE])) is told


def test_one_run_that_is_no_slower_is_enough():
    assert not slower([changed(BEFORE, low=500, value=600, high=800)], [BEFORE])
    assert not slower([changed(CPU_BEFORE, low=11, value=20, high=30)], [CPU_BEFORE])


def test_what_is_told_names_the_figure_and_both_values():
    told = slower([single(BEFORE, 500)], [BEFORE])
    assert [str(one) for one in told] == ["ours: throughput: 500 events/s, was 1,000 (-50%)"]
    assert [one.contender for one in told] == ["ours"]


@pytest.mark.parametrize(
    "change",
    [{"machine": "another"}, {"name": "new: throughput"}, {"baseline": "other: throughput"}, {"unit": "s"}],
    ids=["another kind of machine", "a new figure", "a ratio", "start-up"],
)
def test_what_cannot_be_compared_is_passed_over(change: dict[str, str]):
    assert slower([single(BEFORE, 1, **change)], [BEFORE]) == []


def test_without_a_spread_the_committed_value_itself_is_the_measure():
    before = changed(BEFORE, low=None, high=None)
    assert slower([single(BEFORE, 840)], [before])
    assert not slower([single(BEFORE, 860)], [before])
