"""One commit that replaces the rows of an interval, and nothing else."""

import itertools
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.parser import parse
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files
from pyiceberg.table import Table
from pyiceberg.types import DateType

from iceberg.definition import TableDefinition
from iceberg.derive.interval import Interval

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile


class Held(Struct, frozen=True):
    """What a table holds of an interval, at the snapshot of its handle."""

    condition: BooleanExpression
    """That a row belongs to the interval."""
    files: "tuple[DataFile, ...]"
    """Every file with a row of the interval."""
    inside: pa.Table
    outside: pa.Table
    """Rows of other intervals in the same files, as compaction puts them together."""


def interval_filter(table: Table, column: str, interval: Interval) -> BooleanExpression:
    """The condition that a row belongs to an interval."""
    low, high = _bounds(table, column, interval)
    return parse(f"{column} >= '{low.isoformat()}' AND {column} < '{high.isoformat()}'")


def read_held(table: Table, column: str, interval: Interval) -> Held:
    """What the table holds of an interval; ``column`` says which one a row belongs to."""
    condition = interval_filter(table, column, interval)
    tasks = list(table.scan(row_filter=condition).plan_files())
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    files, insides, outsides = [], [], []
    for task in tasks:
        rows = scan.to_table([task])
        wanted = _in_interval(rows, table, column, interval)
        if not pc.any(wanted).as_py():
            continue
        files.append(task.file)
        if pc.all(wanted).as_py():
            insides.append(rows)
        else:
            insides.append(rows.filter(wanted))
            outsides.append(rows.filter(pc.invert(wanted)))
    empty = table.schema().as_arrow().empty_table()
    inside, outside = (_joined(parts, empty) for parts in (insides, outsides))
    return Held(condition, tuple(files), inside, outside)


def replace_interval(
    table: Table, definition: TableDefinition, held: Held, rows: pa.Table, summary: dict[str, str]
) -> int:
    """Commit ``rows`` in place of those held, on the state that ``table`` was loaded at.

    :param summary: goes into the snapshot's summary.
    :returns: the new snapshot's id.
    :raises CommitFailedException: if anybody else committed to the table meanwhile; nothing is changed then.
    """
    written = sorted_rows(pa.concat_tables([held.outside, rows]), definition)
    with table.transaction() as transaction:
        snapshot = transaction.update_snapshot(snapshot_properties=summary).overwrite()
        with snapshot:
            snapshot.delete_by_predicate(held.condition)
            for file in held.files:
                snapshot.delete_data_file(file)
            if written.num_rows:
                for added in _dataframe_to_data_files(
                    table.metadata, written, table.io, write_uuid=uuid.uuid4(), counter=itertools.count(0)
                ):
                    snapshot.append_data_file(added)
    return snapshot.snapshot_id


def sorted_rows(rows: pa.Table, definition: TableDefinition) -> pa.Table:
    """Rows in the table's sort order, ties broken by the other columns, so that the same rows are the same table."""
    nested = {column.name for column in definition.columns if column.type == "list"}
    others = [name for name in rows.column_names if name not in definition.sort and name not in nested]
    keys = [(name, "ascending", "at_start") for name in (*definition.sort, *others)]
    order = pc.sort_indices(rows, sort_keys=keys)
    # Finding the order costs a third of copying every row into it.
    if order.equals(pa.array(np.arange(len(order), dtype="uint64"))):
        return rows.combine_chunks()
    return rows.take(order).combine_chunks()


def _in_interval(rows: pa.Table, table: Table, column: str, interval: Interval) -> Any:
    low, high = (pa.scalar(bound, rows[column].type) for bound in _bounds(table, column, interval))
    return pc.fill_null(pc.and_(pc.greater_equal(rows[column], low), pc.less(rows[column], high)), False)


def _bounds(table: Table, column: str, interval: Interval) -> tuple[Any, Any]:
    if isinstance(table.schema().find_field(column).field_type, DateType):
        return interval.start.date(), interval.end.date()
    return interval.start, interval.end


def _joined(parts: list[pa.Table], empty: pa.Table) -> pa.Table:
    return pa.concat_tables([part.cast(empty.schema) for part in parts]) if parts else empty
