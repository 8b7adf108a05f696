"""How intervals are handed to tasks, and the day that a run works on."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from codewave.orchestration.days import run_day
from codewave.orchestration.derivation import as_intervals, batches
from iceberg.derive import Interval

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(count: int) -> list[Interval]:
    return [Interval(START + timedelta(hours=n), START + timedelta(hours=n + 1)) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9, 4000])
def test_every_interval_is_in_one_batch_in_order_and_batches_are_even(count: int):
    made = batches(hours(count), at_most=4)
    assert [one for batch in made for one in batch] == hours(count)
    assert len(made) == min(count, 4)
    sizes = {len(batch) for batch in made}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_intervals_come_back_from_a_tasks_result_as_they_were():
    assert as_intervals(msgspec.to_builtins(hours(2))) == hours(2)


def a_run(interval_start: datetime | None) -> SimpleNamespace:
    return SimpleNamespace(data_interval_start=interval_start, run_after=datetime(2026, 3, 2, 6, 0, tzinfo=UTC))


def test_the_day_of_a_run_is_the_one_given_else_its_schedules_else_the_day_before():
    scheduled = a_run(datetime(2026, 2, 27, 6, 0, tzinfo=UTC))
    assert run_day({"day": "2026-01-31"}, scheduled) == date(2026, 1, 31)
    assert run_day({"day": None}, scheduled) == date(2026, 2, 27)
    assert run_day({}, a_run(None)) == date(2026, 3, 1)
