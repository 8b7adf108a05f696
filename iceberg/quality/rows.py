"""The rows that a gate judges: an interval of a table as data frames, in chunks of bounded memory."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import FileScanTask, Table

from codewave.errors import CodewaveError
from iceberg.definition import Column

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS: Final = 100_000
"""Rows that are judged at once. Measured with a million rows of 13 columns: 670 MB in chunks of this, 980 MB in one,
at the same speed (docs/decisions/0022-data-quality.md)."""


def leaves_the_engine(column: Column) -> bool:
    """Whether a column's values may be read here: not what people wrote, and not lists, which are wide."""
    return column.type != "list" and column.classification != "user_content"


def chunks(
    table: Table,
    filters: Iterable[BooleanExpression],
    columns: Iterable[str],
    computed: dict[str, str],
    snapshot_id: int,
) -> Iterator[Any]:
    """Data frames of at most :data:`CHUNK_ROWS` rows of a snapshot.

    Files are read in groups of about as many rows: pyiceberg's own reader of batches reads all files ahead. So the
    memory is that of one group, which is at least one file.

    :param filters: of scans that together read each row once.
    :param computed: more columns: name → pandas expression.
    :raises CodewaveError: if the table lacks one of the columns.
    """
    wanted = sorted(columns)
    if missing := set(wanted) - {field.name for field in table.schema().fields}:
        raise CodewaveError(
            f"quality: {'.'.join(table.name())} has no column {min(missing)}; run `codewave tables apply`"
        )
    for rows in filters:
        scan = table.scan(row_filter=rows, selected_fields=tuple(wanted), snapshot_id=snapshot_id)
        for group in _groups(scan.plan_files()):
            read = _read(table, scan.projection(), rows, group)
            for start in range(0, read.num_rows, CHUNK_ROWS):
                yield _frame(read.slice(start, CHUNK_ROWS), computed)


def _groups(tasks: Iterable[FileScanTask]) -> Iterator[list[FileScanTask]]:
    group: list[FileScanTask] = []
    held = 0
    for task in tasks:
        if group and held + task.file.record_count > CHUNK_ROWS:
            yield group
            group, held = [], 0
        group.append(task)
        held += task.file.record_count
    if group:
        yield group


def _read(table: Table, schema: Any, rows: BooleanExpression, tasks: list[FileScanTask]) -> "pa.Table":
    from pyiceberg.io.pyarrow import ArrowScan

    return ArrowScan(table.metadata, table.io, schema, rows).to_table(tasks)


def arrow_frame(rows: "pa.Table") -> Any:
    """A data frame of Arrow's own types: integers stay integers where there are nulls, and text is not copied."""
    import pandas as pd

    return rows.to_pandas(types_mapper=pd.ArrowDtype)


def _frame(read: "pa.Table", computed: dict[str, str]) -> Any:
    frame = arrow_frame(read)
    for name, expression in computed.items():
        frame[name] = frame.eval(expression)
    return frame
