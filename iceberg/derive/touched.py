"""Which intervals of a derived table new rows of its sources touch."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.expressions.parser import parse
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import DateType, PrimitiveType
from pyiceberg.utils.datetime import days_to_date, micros_to_timestamptz

from iceberg.athena import source_tables
from iceberg.definition import TableDefinition, Touch
from iceberg.derive.added import Added, added_since
from iceberg.derive.interval import Interval, Unit, interval_of, intervals_between
from iceberg.derive.marks import mark_derived, read_mark
from iceberg.derive.reach import out_of_reach
from iceberg.derive.run import derived_definition
from iceberg.derive.seals import first_open, is_sealed, last_sealed
from iceberg.lake import Lake

__all__ = ["Touched", "mark_derived", "touched_intervals"]


class Touched(Struct, frozen=True):
    """What has to be derived again, and what :func:`mark_derived` takes once that is done."""

    intervals: tuple[Interval, ...]
    """In order of time; none of them is sealed."""
    through: dict[str, int]
    """The snapshot of each source that was looked at; a source that never had one is not in it."""


def touched_intervals(lake: Lake, table: str) -> Touched:
    """What changed in the sources of a derived table since its last mark.

    Exact: from the files that were added, by their bounds where those lie in one interval, else by their rows.
    Snapshots that only rewrite files touch nothing. What would touch a sealed day touches the first open one. An
    interval whose other rows retention has removed is not touched: it could not be made whole again.

    :raises WrongUseError: if the table is not derived.
    :raises CodewaveError: if a table has not been made yet.
    """
    definition = derived_definition(lake, table)
    target = _Target(definition, lake.load(table), last_sealed(lake, definition))
    found: set[Interval] = set()
    through, handles = {}, []
    for source in source_tables(definition.query):
        if source == table:
            continue
        handle = lake.load(source)
        handles.append(handle)
        added = added_since(handle, read_mark(target.handle, source))
        found |= _touched_by(target, lake.definition(source), handle, added)
        if handle.metadata.current_snapshot_id is not None:
            through[source] = handle.metadata.current_snapshot_id
    sealed = target.sealed
    unsealed = {first_open(sealed) if sealed and is_sealed(one, sealed) else one for one in found}
    return Touched(tuple(sorted(one for one in unsealed if not out_of_reach(one, handles))), through)


class _Target(Struct, frozen=True):
    """The derived table."""

    definition: TableDefinition
    handle: Table
    sealed: date | None

    @property
    def unit(self) -> Unit:
        return self.definition.interval or "day"


def _touched_by(target: _Target, source: TableDefinition, handle: Table, added: Added) -> set[Interval]:
    unit = target.unit
    touch = target.definition.touched_by.get(source.name)
    if touch is None or not (added.files or added.intervals or not added.complete):
        return set()
    found = {one for replaced in added.intervals for one in intervals_between(unit, replaced.start, replaced.end)}
    if touch.open_intervals:
        return found | _own(target) | _after_seals(handle)
    if source.derived and not added.complete:
        # Rows may have left an interval that has none now.
        found |= _own(target)
    found |= _of_files(unit, handle, touch, added.files)
    for key in filter(None, [touch.same_in_table, touch.same_in_source]):
        keys = _column(_read(handle, added.files, (key,)), key)
        if key == touch.same_in_table:
            found |= _own(target, (key, keys))
        else:
            found |= _same(unit, handle, touch, key, keys)
    return found


def _own(target: _Target, key: tuple[str, pa.ChunkedArray] | None = None) -> set[Interval]:
    """Open intervals that the derived table has; with a key only those with rows of one of its values."""
    column = target.definition.interval_column
    is_open = parse(f"{column} > '{target.sealed}'") if target.sealed else AlwaysTrue()
    names = (column,) if key is None else (column, key[0])
    rows = target.handle.scan(row_filter=is_open, selected_fields=names).to_arrow()
    if key is not None:
        rows = rows.filter(pc.is_in(rows[key[0]], value_set=key[1].combine_chunks()))
    return _intervals(target.unit, rows[column])


def _after_seals(handle: Table) -> set[Interval]:
    newest = pc.max(handle.scan(selected_fields=("day",)).to_arrow()["day"]).as_py()
    return {first_open(newest)} if newest else set()


def _same(unit: Unit, handle: Table, touch: Touch, key: str, keys: pa.ChunkedArray) -> set[Interval]:
    rows = handle.scan(selected_fields=(key, touch.time)).to_arrow()
    wanted = rows.filter(pc.is_in(rows[key], value_set=keys.combine_chunks()))
    return _intervals(unit, wanted[touch.time])


def _of_files(unit: Unit, handle: Table, touch: Touch, files: Iterable[DataFile]) -> set[Interval]:
    found, unclear = set(), []
    for file in files:
        bounds = _bounds(handle, touch.time, file)
        if bounds and interval_of(unit, bounds[0]) == interval_of(unit, bounds[1]):
            found.add(interval_of(unit, bounds[0]))
        else:
            unclear.append(file)
    rows = _read(handle, unclear, (touch.time.split("[].")[0],))
    return found | _intervals(unit, _column(rows, touch.time))


def _bounds(handle: Table, column: str, file: DataFile) -> tuple[Any, Any] | None:
    """Smallest and largest value in a file, from its manifest; None where it is not said."""
    if "[]" in column:
        return None
    field = handle.schema().find_field(column)
    kind = field.field_type
    low, high = ((bounds or {}).get(field.field_id) for bounds in (file.lower_bounds, file.upper_bounds))
    if low is None or high is None or not isinstance(kind, PrimitiveType):
        return None
    plain: Callable[[Any], Any] = days_to_date if isinstance(kind, DateType) else micros_to_timestamptz
    return plain(from_bytes(kind, low)), plain(from_bytes(kind, high))


def _read(handle: Table, files: Iterable[DataFile], columns: tuple[str, ...]) -> pa.Table:
    schema = handle.schema().select(*columns)
    scan = ArrowScan(handle.metadata, handle.io, schema, AlwaysTrue())
    return scan.to_table([FileScanTask(file) for file in files])


def _column(rows: pa.Table, path: str) -> pa.ChunkedArray:
    """A column; ``list[].field`` is that field of every struct of the list."""
    name, _, field = path.partition("[].")
    column = rows[name]
    return pc.struct_field(pc.list_flatten(column), field) if field else column


def _intervals(unit: Unit, times: pa.ChunkedArray) -> set[Interval]:
    if pa.types.is_timestamp(times.type):
        times = pc.floor_temporal(times, unit=unit)
    return {interval_of(unit, value) for value in pc.unique(times).to_pylist() if value is not None}
