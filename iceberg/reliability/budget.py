"""The error budget: bad minutes of hours against what the objective allows, as plain arithmetic.

An hour's bad minutes are 60 times the share of its due events that were not good: lost, handled more than 2 s after
they were sent, or broken in our own code (``pipeline_reliability_hourly``). An hour in which nothing was due has none:
nobody was kept waiting. Availability is 1 − bad minutes / all minutes, the mean of the hours' shares, as AWS counts
its own objectives by the mean of intervals (Amazon S3 Service Level Agreement, "Monthly Uptime Percentage").
"""

from datetime import date, datetime, timedelta
from typing import Final

from msgspec import Struct

OBJECTIVE: Final = 0.9995
"""The share of minutes that have to be good, over 30 days: a budget of 21.6 bad minutes."""

WORST_HOURS: Final = 5

BURN_ALERTS: Final = ((1, 14.4), (6, 6.0), (72, 1.0))
"""Hours → the burn rate from which someone is called, of which 1 would just spend the budget: 2 % of it in an hour, 5 %
in six, 10 % in three days (The Site Reliability Workbook, 2018, chapter 5, table 5-8)."""

_HOUR: Final = timedelta(hours=1)
_MINUTES: Final = 60


class Hour(Struct, frozen=True):
    """One hour, as ``pipeline_reliability_hourly`` has it."""

    hour: datetime
    events_due: int
    events_good: int
    lost: int
    delayed: int
    failed: int
    delay_p99_ms: int | None

    @property
    def bad_minutes(self) -> float:
        """Share of the due events that were not good, in minutes of the hour."""
        return _MINUTES * (1 - self.events_good / self.events_due) if self.events_due else 0.0


class WorstHour(Struct, frozen=True):
    """An hour that spent the budget, and on what."""

    hour: datetime
    availability: float
    bad_minutes: float
    lost: int
    delayed: int
    failed: int
    delay_p99_ms: int | None


class Day(Struct, frozen=True):
    """A point of the chart."""

    day: date
    availability: float | None
    """None where nothing was due on the day."""
    bad_minutes: float
    left_minutes: float
    """Of the budget, at the end of the day; below 0 when more was spent."""


class BurnRate(Struct, frozen=True):
    """How fast the budget was spent of late; 1 would just spend it in the whole time."""

    hours: int
    rate: float
    alert_at: float
    alert: bool


class Reliability(Struct, frozen=True, kw_only=True):
    """Availability over some days against the objective."""

    since: datetime
    until: datetime
    objective: float
    availability: float
    events_availability: float | None
    """The share of all due events that were good: the same where every hour has as many."""
    met: bool
    budget_minutes: float
    spent_minutes: float
    left_minutes: float
    burn_rates: list[BurnRate]
    hours_with_events: int
    hours_good: int
    """Of them, those as good as the objective."""
    newest_hour: datetime | None
    """The last that is known; what came after it counts as good until it is."""
    worst_hours: list[WorstHour]
    days: list[Day]


def reliability(hours: list[Hour], since: datetime, until: datetime, objective: float = OBJECTIVE) -> Reliability:
    """Count the budget of a time.

    :param hours: those of the time that have a row, in order.
    """
    minutes = (until - since) / timedelta(minutes=1)
    spent = sum(hour.bad_minutes for hour in hours)
    budget = minutes * (1 - objective)
    due, good = sum(hour.events_due for hour in hours), sum(hour.events_good for hour in hours)
    counted = [hour for hour in hours if hour.events_due]
    return Reliability(
        since=since,
        until=until,
        objective=objective,
        availability=1 - spent / minutes,
        events_availability=good / due if due else None,
        met=spent <= budget,
        budget_minutes=budget,
        spent_minutes=spent,
        left_minutes=budget - spent,
        burn_rates=[_burn_rate(hours, until, length, alert, objective) for length, alert in BURN_ALERTS],
        hours_with_events=len(counted),
        hours_good=sum(hour.events_good / hour.events_due >= objective for hour in counted),
        newest_hour=hours[-1].hour if hours else None,
        worst_hours=_worst(counted),
        days=_days(hours, since, until, budget),
    )


def _burn_rate(hours: list[Hour], until: datetime, length: int, alert_at: float, objective: float) -> BurnRate:
    start = until - length * _HOUR
    bad = sum(hour.bad_minutes for hour in hours if hour.hour >= start)
    rate = bad / (length * _MINUTES * (1 - objective))
    return BurnRate(length, rate, alert_at, rate >= alert_at)


def _worst(hours: list[Hour]) -> list[WorstHour]:
    bad = sorted((hour for hour in hours if hour.bad_minutes), key=lambda hour: (-hour.bad_minutes, hour.hour))
    return [
        WorstHour(
            hour.hour,
            hour.events_good / hour.events_due,
            hour.bad_minutes,
            hour.lost,
            hour.delayed,
            hour.failed,
            hour.delay_p99_ms,
        )
        for hour in bad[:WORST_HOURS]
    ]


def _days(hours: list[Hour], since: datetime, until: datetime, budget: float) -> list[Day]:
    days = []
    left, day = budget, since.date()
    while datetime(day.year, day.month, day.day, tzinfo=since.tzinfo) < until:
        of_day = [hour for hour in hours if hour.hour.date() == day]
        bad = sum(hour.bad_minutes for hour in of_day)
        left -= bad
        due, good = sum(hour.events_due for hour in of_day), sum(hour.events_good for hour in of_day)
        days.append(Day(day, good / due if due else None, bad, left))
        day += timedelta(days=1)
    return days
