"""Which rows of a table belong to an interval, as a filter for a scan and as SQL."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from pyiceberg.expressions import AlwaysTrue, BooleanExpression

from iceberg.athena import Parameter
from iceberg.definition import TableDefinition
from iceberg.derive.interval import Interval, Unit, interval_of, intervals_between
from iceberg.quality.conditions import between, empty

_TIME_PARTITIONS: Final = ("hour", "day", "month")
_EVERYTHING: Final = "TRUE"


class Scope(Struct, frozen=True):
    """How a table is cut into intervals."""

    column: str | None
    """Says which interval a row belongs to; nothing where the table is judged whole."""
    type: Literal["timestamptz", "date"] = "timestamptz"
    unit: Unit = "hour"

    def filters(self, interval: Interval | None) -> tuple[BooleanExpression, ...]:
        """Filters of scans that together read each row once; of hours over dates, the days that they touch.

        Rows without a time belong to every interval: else no gate would ever see them. They take a scan of their own,
        since pyiceberg 0.12 cannot compare a partition that has no value with anything.
        """
        if self.column is None or interval is None:
            return (AlwaysTrue(),)
        start, end = self._bounds(interval)
        return between(self.column, start.isoformat(), end.isoformat()), empty(self.column)

    def sql(self, interval: Interval | None) -> str:
        """The same rows as a condition in Athena's dialect, over :meth:`parameters`."""
        if self.column is None or interval is None:
            return _EVERYTHING
        inside = f"{self.column} >= :interval_start AND {self.column} < :interval_end"
        return f"(({inside}) OR {self.column} IS NULL)"

    def parameters(self, interval: Interval | None) -> dict[str, Parameter]:
        """Values for :meth:`sql`."""
        if self.column is None or interval is None:
            return {}
        start, end = self._bounds(interval)
        return {"interval_start": start, "interval_end": end}

    def intervals(self, first: datetime | date, last: datetime | date) -> list[Interval]:
        """The intervals of the table's unit that hold ``first`` to ``last``, both included."""
        return list(intervals_between(self.unit, _instant(first), _instant(last) + timedelta.resolution))

    def _bounds(self, interval: Interval) -> tuple[datetime, datetime] | tuple[date, date]:
        if self.type == "timestamptz":
            return interval.start, interval.end
        return interval.start.date(), (interval.end - timedelta.resolution).date() + timedelta(days=1)


def scope_of(definition: TableDefinition) -> Scope:
    """The scope of a table: by its ``interval_column``, else by the time that it is partitioned by."""
    parts = [part.column for part in definition.partitions() if part.transform in _TIME_PARTITIONS]
    column = definition.interval_column or next(iter(parts), None)
    if column is None:
        return Scope(None)
    kind = next(one.type for one in definition.columns if one.name == column)
    if kind == "date":
        return Scope(column, "date", "day")
    return Scope(column, "timestamptz", definition.interval or "hour")


def interval_since(start: datetime, now: datetime | None = None) -> Interval:
    """From the hour of ``start`` to the end of the hour of ``now``, the wall's by default."""
    return Interval(interval_of("hour", start).start, interval_of("hour", now or datetime.now(UTC)).end)


def _instant(value: datetime | date) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
