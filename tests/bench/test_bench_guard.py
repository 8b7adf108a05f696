"""The guard: it names what became slower, and nothing else."""

import msgspec
import pytest

from bench.guard import drift, slower
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
    assert [(one.contender, one.is_ours) for one in told] == [("ours", True)]


def test_what_became_slower_for_others_is_told_as_nothing_of_ours():
    other = changed(CPU_BEFORE, name="postgres: CPU time")
    assert [one.is_ours for one in slower([single(other, 20)], [other])] == [False]


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


OTHERS = [changed(CPU_BEFORE, name=f"{name}: CPU time") for name in ("sql-discard", "decode", "postgres")]


def test_what_the_machine_takes_longer_for_others_is_allowed_for_ours():
    now = [single(CPU_BEFORE, value, name=old.name) for value, old in zip((12, 13, 40), OTHERS, strict=True)]
    drifted = drift([*now, single(CPU_BEFORE, 100)], [*OTHERS, CPU_BEFORE])
    assert drifted == pytest.approx(1.3), "the median of others, whatever ours takes"
    assert not slower([single(CPU_BEFORE, 17.9), single(BEFORE, 589)], [BEFORE, CPU_BEFORE], drifted)
    assert len(slower([single(CPU_BEFORE, 18.1), single(BEFORE, 587)], [BEFORE, CPU_BEFORE], drifted)) == 2


def test_a_quicker_machine_or_too_few_others_change_nothing():
    assert drift([single(one, 1) for one in OTHERS], OTHERS) == 1
    assert drift([single(one, 30) for one in OTHERS[:2]], OTHERS) == 1
    assert drift([single(one, 30, machine="another") for one in OTHERS], OTHERS) == 1
