"""Intervals: the hours and days that a derived table is made of, and what one run replaces."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

from codewave.errors import WrongUseError

Unit = Literal["hour", "day"]

LENGTHS: Final[dict[Unit, timedelta]] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


class Interval(Struct, frozen=True, order=True):
    """A half-open stretch of time: ``start`` belongs to it, ``end`` does not; both in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0) or self.start >= self.end:
            raise WrongUseError(f"interval {self.start} to {self.end}: two times in UTC, the first one earlier")

    def __str__(self) -> str:
        if self.end - self.start == LENGTHS["day"]:
            return f"{self.start:%Y-%m-%d}"
        return f"{self.start:%Y-%m-%dT%H:%M}"


def interval_of(unit: Unit, at: datetime | date) -> Interval:
    """The hour or day that holds a time; a date is the day."""
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    at = at.astimezone(UTC)
    start = at.replace(hour=at.hour if unit == "hour" else 0, minute=0, second=0, microsecond=0)
    return Interval(start, start + LENGTHS[unit])


def intervals_between(unit: Unit, start: datetime, end: datetime) -> Iterator[Interval]:
    """Every interval that holds a part of the time from ``start`` to before ``end``."""
    interval = interval_of(unit, start)
    while interval.start < end:
        yield interval
        interval = interval_of(unit, interval.end)
