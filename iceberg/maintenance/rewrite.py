"""Reads some files of one partition, sorts their rows and writes them as files of the table's target size.

Memory is bounded whatever the files hold: rows are read a batch at a time, DuckDB sorts them and spills to disk beyond
its limit, and a file is written one row group at a time.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from pyiceberg.io import OutputFile, OutputStream
from pyiceberg.io.fileformat import FileFormatFactory
from pyiceberg.io.pyarrow import _to_requested_schema, pyarrow_to_schema
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record

from codewave.errors import CodewaveError
from iceberg.maintenance.storage import delete_files

TARGET_SIZE: Final = "write.target-file-size-bytes"
TARGET_SIZE_BYTES: Final = 512 * 1024 * 1024
"""Iceberg's default of that property."""

_BATCH_ROWS: Final = 4096
_ROW_GROUP_BYTES: Final = 64 * 1024 * 1024
"""In memory; compressed some 5 to 10 times less, as the rows of these tables go."""
_ROW_GROUPS_A_FILE: Final = 2
"""At least, for small targets: a file's size is known after each row group, so it may be too large by one."""
_THREADS: Final = 2


class FileGroup(Struct, frozen=True):
    """Files of one partition that become fewer ones."""

    partition: str
    """As a path: ``received_at_day=2026-01-31/room_id_bucket=3``; empty for a table without partitions."""
    spec_id: int
    record: Record
    files: tuple[DataFile, ...]

    @property
    def paths(self) -> list[str]:
        """Of its files."""
        return [file.file_path for file in self.files]

    @property
    def rows(self) -> int:
        """By the files' own counts."""
        return sum(file.record_count for file in self.files)

    @property
    def size_bytes(self) -> int:
        """On disk."""
        return sum(file.file_size_in_bytes for file in self.files)


def target_size(table: Table) -> int:
    """How large the table's files should be, in bytes."""
    return int(table.properties.get(TARGET_SIZE, TARGET_SIZE_BYTES))


def rewrite(table: Table, group: FileGroup, spill: Path, memory_mb: int) -> list[DataFile]:
    """Write the group's rows, in the table's sort order, into new files; none of them is in the table yet.

    :param spill: folder for what the sort does not hold in memory.
    :param memory_mb: what the sort may hold in memory.
    :raises CodewaveError: where the new files do not hold as many rows as the old ones; they are removed.
    """
    written: list[DataFile] = []
    try:
        with TemporaryDirectory(dir=spill) as folder, duckdb.connect(config=_settings(folder, memory_mb)) as database:
            for file in _write(table, group, _sorted(table, group, database)):
                written.append(file)  # noqa: PERF402 - what is written is known where the next file fails
        _check_rows(table, group, written)
    except BaseException:
        delete_files(table.io, [file.file_path for file in written])
        raise
    return written


def _check_rows(table: Table, group: FileGroup, written: list[DataFile]) -> None:
    rows = sum(file.record_count for file in written)
    if rows != group.rows:
        raise CodewaveError(
            f"{'.'.join(table.name())}: {group.partition or 'its files'}: {group.rows:,} rows became {rows:,} when "
            "rewritten; nothing was changed; do nothing else to the table before these files were looked at"
        )


def _settings(folder: str, memory_mb: int) -> dict[str, Any]:
    return {
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": folder,
        "threads": _THREADS,
        "arrow_large_buffer_size": True,
    }


def _sorted(table: Table, group: FileGroup, database: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    schema = table.schema().as_arrow()
    rows = pa.RecordBatchReader.from_batches(schema, _read(table, group, schema))
    database.register("unsorted", rows)
    order = ", ".join(_sort_columns(table))
    result = database.sql(f"FROM unsorted ORDER BY {order}" if order else "FROM unsorted")
    yield from result.to_arrow_reader(_BATCH_ROWS)


def _sort_columns(table: Table) -> Iterator[str]:
    for field in table.sort_order().fields:
        if not isinstance(field.transform, IdentityTransform):
            raise CodewaveError(f"{'.'.join(table.name())}: sorted by {field.transform}; sort by plain columns")
        name = table.schema().find_column_name(field.source_id) or ""
        quoted = '"' + name.replace('"', '""') + '"'
        yield f"{quoted} {field.direction.value.upper()} {field.null_order.value.upper().replace('-', ' ')}"


def _read(table: Table, group: FileGroup, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    wanted = table.schema()
    for file in group.files:
        with table.io.new_input(file.file_path).open() as stream:
            parquet = pq.ParquetFile(stream)
            held = pyarrow_to_schema(parquet.schema_arrow, wanted.name_mapping, downcast_ns_timestamp_to_us=True)
            for batch in parquet.iter_batches(_BATCH_ROWS):
                # By field id, as every reader of Iceberg does: a file may be older than a column of the table.
                yield _to_requested_schema(wanted, held, batch, downcast_ns_timestamp_to_us=True).cast(schema)


def _write(table: Table, group: FileGroup, batches: Iterator[pa.RecordBatch]) -> Iterator[DataFile]:
    name = uuid4()
    groups = _row_groups(batches, min(_ROW_GROUP_BYTES, target_size(table) // _ROW_GROUPS_A_FILE))
    first = next(groups, None)
    numbers = count()
    while first is not None:
        path = table.location_provider().new_data_location(
            "/".join(part for part in (group.partition, f"{next(numbers):05d}-{name}.parquet") if part)
        )
        file, first = _write_file(table, group, path, first, groups)
        yield file


def _write_file(
    table: Table, group: FileGroup, path: str, first: pa.Table, rest: Iterator[pa.Table]
) -> tuple[DataFile, pa.Table | None]:
    """Write one file; also returns the row group that comes into the next one."""
    output = _Measured(table.io.new_output(path))
    following: pa.Table | None = first
    try:
        with FileFormatFactory.get(FileFormat.PARQUET).create_writer(
            output, table.schema(), table.properties
        ) as writer:
            while following is not None and output.size_bytes < target_size(table):
                writer.write(_with_field_ids(table, following))
                following = next(rest, None)
        statistics = writer.result()
    except BaseException:
        delete_files(table.io, [path])
        raise
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=group.record,
        file_size_in_bytes=len(output),
        sort_order_id=table.sort_order().order_id,
        spec_id=group.spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
    file.spec_id = group.spec_id
    return file, following


def _row_groups(batches: Iterator[pa.RecordBatch], size_bytes: int) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in (piece for whole in batches for piece in _pieces(whole, size_bytes)):
        waiting.append(batch)
        size += batch.nbytes
        if size >= size_bytes:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _pieces(batch: pa.RecordBatch, size_bytes: int) -> Iterator[pa.RecordBatch]:
    rows = max(1, batch.num_rows * size_bytes // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _with_field_ids(table: Table, rows: pa.Table) -> pa.Table:
    schema = table.schema()
    held = pyarrow_to_schema(rows.schema, schema.name_mapping, downcast_ns_timestamp_to_us=True)
    model = FileFormatFactory.get(FileFormat.PARQUET)
    # One batch, so that it is one row group.
    (batch,) = rows.combine_chunks().to_batches()
    return pa.Table.from_batches(
        [_to_requested_schema(schema, held, batch, include_field_ids=True, format_model=model)]
    )


class _Measured(OutputFile):
    """An output whose size is known while it is written."""

    def __init__(self, output: OutputFile) -> None:
        super().__init__(output.location)
        self._output = output
        self._stream: Any = None

    @property
    def size_bytes(self) -> int:
        """What has been written so far: whole row groups."""
        return self._stream.tell() if self._stream else 0

    def create(self, overwrite: bool = False) -> OutputStream:
        self._stream = self._output.create(overwrite)
        stream: OutputStream = self._stream
        return stream

    def __len__(self) -> int:
        return len(self._output)

    def exists(self) -> bool:
        return self._output.exists()

    def to_input_file(self) -> Any:
        return self._output.to_input_file()
