"""A schedule is the same for the same seed, fits its time, and lets every fault have its turn."""

import itertools

import pytest

from codewave.errors import WrongUseError
from codewave.faults.catalogue import FAULTS, choose
from codewave.faults.fault import Fault, Scene
from codewave.faults.schedule import FIRST_AFTER_S, LONGEST_PAUSE_S, SHORTEST_S, plan


def _nothing(_scene: Scene, _seconds: float) -> str:
    return "nothing"


def fault(name: str, longest_s: float = 0.0, takes_s: float = 5.0) -> Fault:
    return Fault(name=name, summary=name, strike=_nothing, longest_s=longest_s, takes_s=takes_s)


THREE = [fault("moment"), fault("slow", longest_s=20.0), fault("short", longest_s=1.0)]


def test_the_same_seed_makes_the_same_schedule():
    assert plan(THREE, 1, 10) == plan(THREE, 1, 10)


def test_another_seed_makes_another():
    assert plan(THREE, 1, 10) != plan(THREE, 2, 10)


def test_every_fault_comes_once_before_any_comes_again():
    names = [one.fault for one in plan(THREE, 3, 20)]
    assert len(names) > 6
    for turn in zip(*[iter(names)] * 3, strict=False):
        assert sorted(turn) == ["moment", "short", "slow"]


def test_it_ends_within_the_time_with_the_last_fault_healed():
    takes = {one.name: one.takes_s for one in THREE}
    for seed in range(20):
        last = plan(THREE, seed, 3)[-1]
        assert last.at_s + last.seconds + takes[last.fault] <= 3 * 60


def test_faults_do_not_overlap_and_pauses_are_short():
    takes = {one.name: one.takes_s for one in THREE}
    planned = plan(THREE, 5, 30)
    for before, after in itertools.pairwise(planned):
        pause = after.at_s - (before.at_s + before.seconds + takes[before.fault])
        assert -0.2 <= pause <= LONGEST_PAUSE_S + 0.2  # times are rounded


def test_lengths_are_within_what_is_useful():
    for one in plan(THREE, 7, 60):
        if one.fault == "slow":
            assert SHORTEST_S <= one.seconds <= 20
        else:
            assert one.seconds == (1.0 if one.fault == "short" else 0.0)


def test_the_load_runs_before_the_first_fault_and_there_is_always_one():
    (only,) = plan([fault("long", longest_s=100.0)], 1, 0.1)
    assert only.at_s == FIRST_AFTER_S


def test_names_in_the_catalogue_are_unique_and_each_says_what_it_does():
    names = [one.name for one in FAULTS]
    assert len(set(names)) == len(names)
    assert all(one.summary and not one.summary.endswith(".") for one in FAULTS)


def test_faults_are_chosen_by_name_in_the_catalogues_order():
    first, second = FAULTS[0].name, FAULTS[1].name
    assert [one.name for one in choose(f"{second}, {first}")] == [first, second]
    assert choose() == list(FAULTS)


def test_a_name_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(WrongUseError, match=r"--only nonsense: no such fault; faults: kill-task-manager"):
        choose("kill-task-manager,nonsense")
