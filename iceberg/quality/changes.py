"""What a table has beyond what its gate has judged, as the intervals that it falls into."""

from collections.abc import Iterator
from datetime import date, datetime

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import DateType, PrimitiveType
from pyiceberg.utils.datetime import days_to_date, micros_to_timestamptz

from iceberg.derive.added import added_since
from iceberg.derive.interval import Interval, intervals_between
from iceberg.derive.marks import read_mark
from iceberg.lake import Lake
from iceberg.quality.scope import Scope
from iceberg.quality.store import RESULTS


def new_intervals(lake: Lake, table: Table, scope: Scope, now: datetime) -> list[Interval]:
    """Intervals that rows were added to since the gate was last left open, by the bounds of the files: none is missed.

    Snapshots that only rewrite files add nothing.

    :param now: rows without a time belong to every interval; where a file has no others, this one's is judged.
    """
    added = added_since(table, read_mark(lake.load(RESULTS), table.name()[-1]))
    found = {one for file in added.files for one in _of_file(table, scope, file, now)}
    for replaced in added.intervals:
        found.update(intervals_between(scope.unit, replaced.start, replaced.end))
    return sorted(found)


def is_judged(lake: Lake, table: Table) -> bool:
    """Whether the gate has judged all that a table holds."""
    mark = read_mark(lake.load(RESULTS), table.name()[-1])
    return mark is not None and mark.snapshot_id == table.metadata.current_snapshot_id


def _of_file(table: Table, scope: Scope, file: DataFile, now: datetime) -> Iterator[Interval]:
    field = table.schema().find_field(scope.column or "")
    low, high = ((bounds or {}).get(field.field_id) for bounds in (file.lower_bounds, file.upper_bounds))
    if low is None or high is None or not isinstance(field.field_type, PrimitiveType):
        yield from scope.intervals(now, now)
    else:
        yield from scope.intervals(_value(field.field_type, low), _value(field.field_type, high))


def _value(kind: PrimitiveType, bound: bytes) -> datetime | date:
    number = int(from_bytes(kind, bound))
    return days_to_date(number) if isinstance(kind, DateType) else micros_to_timestamptz(number)
