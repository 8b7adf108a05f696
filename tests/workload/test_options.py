"""Options of a workload as a person gives them."""

import math

import pytest
from recording_sink import START_MS

from codewave.errors import WrongUseError
from codewave.workload.chaos import Chaos
from codewave.workload.options import DEFAULT_ROOMS, DEFAULT_SECONDS, options_for


def test_without_traces_some_rooms_are_generated() -> None:
    assert options_for(traces=0).rooms == DEFAULT_ROOMS


def test_with_traces_rooms_are_generated_only_when_asked_for() -> None:
    assert (options_for(traces=1).rooms, options_for(traces=1, rooms=3).rooms) == (0, 3)


def test_without_a_seed_every_workload_is_another() -> None:
    assert options_for(traces=0).seed != options_for(traces=0).seed


def test_virtual_time_ends_now() -> None:
    chosen = options_for(traces=0, now_ms=START_MS)
    assert chosen.start_ms == START_MS - DEFAULT_SECONDS * 1000


def test_chaos_is_read() -> None:
    assert options_for(traces=0, chaos="drop=0.5").chaos == Chaos(drop=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rooms", -1), ("rooms", 100_001), ("seconds", 0), ("rate", -1.0), ("rate", math.nan), ("rate", math.inf)],
)
def test_a_value_out_of_range_is_refused_with_its_option(name: str, value: float) -> None:
    with pytest.raises(WrongUseError, match=f"--{name}"):
        options_for(traces=0, **{name: value})
