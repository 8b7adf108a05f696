"""Drift: what differs from the seven profiles before by more than they differ among themselves is told."""

import random
from typing import Any

import pytest

from iceberg.quality.drift import HISTORY, drift_of


def profile(rows: int = 1_000, **changes: Any) -> dict[str, Any]:
    row = {"rows": rows, "nulls": 0, "distinct_values": 50, "mean": 120.0, "top_values": []}
    return row | changes


def values(**rows: int) -> dict[str, Any]:
    return profile(sum(rows.values()), top_values=[{"value": name, "rows": count} for name, count in rows.items()])


def told(now: dict[str, Any], before: list[dict[str, Any]]) -> list[str]:
    return [drift.what for drift in drift_of(now, before)]


WEEK = [
    profile(rows, mean=mean)
    for rows, mean in zip((980, 1_010, 1_000, 990, 1_020, 600, 580), range(117, 124), strict=True)
]


def test_a_day_like_the_days_before_is_quiet() -> None:
    assert told(profile(), WEEK) == []


def test_a_weekend_is_no_drift() -> None:
    assert told(profile(590), WEEK) == []


def test_ten_times_the_rows_are_drift() -> None:
    assert told(profile(10_000), WEEK) == ["rows"]


def test_a_column_that_is_suddenly_empty_is_drift() -> None:
    assert told(profile(nulls=500), WEEK) == ["share of empty values"]


def test_a_mean_in_another_unit_is_drift() -> None:
    assert told(profile(mean=0.12), WEEK) == ["mean"]


def test_what_was_constant_may_flicker() -> None:
    constant = [profile() for _ in range(HISTORY)]
    assert told(profile(1_090, nulls=9, mean=125.0), constant) == []
    assert told(profile(1_110), constant) == ["rows"]


def test_too_short_a_history_says_nothing() -> None:
    assert told(profile(10_000), WEEK[1:]) == []


def test_a_value_that_was_never_there_is_drift() -> None:
    before = [values(python=900, rust=100) for _ in range(HISTORY)]
    assert told(values(python=899, rust=100, cobol=1), before) == ["new value"]


def test_shares_that_move_are_drift_and_those_that_wobble_are_not() -> None:
    before = [values(python=900, rust=100) for _ in range(HISTORY)]
    assert told(values(python=870, rust=130), before) == []
    assert told(values(python=400, rust=600), before) == ["stability index of its values"]


def test_of_columns_that_do_not_change_no_more_are_told_than_the_rule_says() -> None:
    # 2 in 1,000 by the rule, for normal values that vary by more than the least change; drawn from a fixed seed.
    draw = random.Random(7)
    days = [profile(mean=draw.gauss(100, 30)) for _ in range(8)]
    false_alarms = 0
    for _ in range(4_000):
        days = [profile(mean=draw.gauss(100, 30)) for _ in range(8)]
        false_alarms += bool(told(days[0], days[1:]))
    assert 2 <= false_alarms <= 16
    assert pytest.approx(8, abs=7) == false_alarms
