"""The error budget: minutes that the objective allows, minutes that hours spent, and what is left."""

from datetime import UTC, datetime, timedelta

import pytest

from codewave.cli.reliability import chart
from iceberg.reliability.budget import Hour, Reliability, reliability

UNTIL = datetime(2026, 1, 31, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=30)


def hour(number: int, due: int = 1_000, good: int | None = None, **more: int) -> Hour:
    counts = {"lost": 0, "delayed": 0, "failed": 0} | more
    return Hour(SINCE + timedelta(hours=number), due, due if good is None else good, **counts, delay_p99_ms=900)


def report(*hours: Hour) -> Reliability:
    return reliability(list(hours), SINCE, UNTIL)


def test_the_budget_of_thirty_days_is_21_6_minutes() -> None:
    found = report(hour(0))
    assert found.budget_minutes == pytest.approx(21.6)
    assert (found.availability, found.spent_minutes, found.met) == (1, 0, True)


def test_an_hour_spends_its_share_of_bad_events_in_minutes() -> None:
    found = report(hour(0, 1_000, 700, delayed=300), hour(1))
    assert found.spent_minutes == pytest.approx(18)
    assert found.left_minutes == pytest.approx(3.6)
    assert found.availability == pytest.approx(1 - 18 / 43_200)
    assert found.met


def test_more_spent_than_there_was_misses_the_objective() -> None:
    found = report(hour(0, 1_000, 0))
    assert found.left_minutes == pytest.approx(-38.4)
    assert not found.met
    assert found.availability < found.objective


def test_an_hour_in_which_nothing_was_due_spends_nothing() -> None:
    found = report(hour(0, 0))
    assert (found.spent_minutes, found.hours_with_events, found.events_availability) == (0, 0, None)


def test_hours_with_few_events_count_as_much_as_others_and_events_are_counted_beside() -> None:
    found = report(hour(0, 10, 5), hour(1, 9_990, 9_990))
    assert found.spent_minutes == pytest.approx(30)
    assert found.events_availability == pytest.approx(0.9995)
    assert (found.hours_with_events, found.hours_good) == (2, 1)


def test_the_worst_hours_come_first_and_say_what_went_wrong() -> None:
    hours = [hour(number, 1_000, 1_000 - number, lost=number) for number in range(8)]
    worst = report(*hours).worst_hours
    assert [one.lost for one in worst] == [7, 6, 5, 4, 3]
    assert worst[0].bad_minutes == pytest.approx(0.42)


def test_a_budget_that_is_spent_fast_is_told_by_its_burn_rate() -> None:
    last = hour(30 * 24 - 1, 1_000, 990)
    burn = {one.hours: one for one in report(last).burn_rates}
    assert burn[1].rate == pytest.approx(20)
    assert burn[1].alert
    assert burn[6].rate == pytest.approx(20 / 6)
    assert not burn[6].alert


def test_the_chart_shows_what_was_left_at_the_end_of_each_day() -> None:
    found = report(hour(0, 1_000, 850), hour(24, 1_000, 0))
    assert [round(day.left_minutes, 1) for day in found.days[:3]] == [12.6, -47.4, -47.4]
    assert found.days[0].availability == pytest.approx(0.85)
    assert found.days[2].availability is None
    assert chart(found) == "▅" + "·" * 29
    assert chart(report()) == "█" * 30


def test_without_any_hour_nothing_is_known() -> None:
    found = report()
    assert (found.newest_hour, found.worst_hours, found.met) == (None, [], True)
