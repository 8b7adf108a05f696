"""The recorded stream: a table that Flink reads in Kinesis' place, one file a partition, each read in its order."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlparse

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import BinaryType, NestedField, StringType, TimestamptzType

from bench.input import ARRIVAL_MS, Input, read_records
from codewave.contract.frame import Header

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

NAMESPACE: Final = "streams"
SCHEMA: Final = Schema(
    NestedField(1, "data", BinaryType(), required=False),
    NestedField(2, "shard_id", StringType(), required=False),
    NestedField(3, "sequence_number", StringType(), required=False),
    NestedField(4, "arrived_at", TimestamptzType(), required=False),
)
_UNSPLIT: Final = str(1 << 40)
PROPERTIES: Final = {
    # A split takes nothing beyond this weight, and a file weighs as much: one file, one split.
    "read.split.target-size": _UNSPLIT,
    "read.split.open-file-cost": _UNSPLIT,
}
_ROW_GROUP_BYTES: Final = 1 << 20
"""Read into memory at once."""

_header = msgspec.json.Decoder(Header).decode


def recorded_stream(catalog: "Catalog", data: Input) -> str:
    """Write the records of ``data`` into a table, or find it where it was written before; returns the table's name."""
    name = _name(data)
    catalog.create_namespace_if_not_exists(NAMESPACE)
    table = catalog.create_table_if_not_exists(f"{NAMESPACE}.{name}", SCHEMA, properties=PROPERTIES)
    if table.current_snapshot() is None:
        files = [_write(table, number, path) for number, path in enumerate(data.records)]
        with table.transaction() as transaction, transaction.update_snapshot().fast_append() as append:
            for file in files:
                append.append_data_file(file)
    return name


def forget_stream(catalog: "Catalog", data: Input) -> None:
    """Remove the table of ``data`` with its files, where there is one."""
    with suppress(NoSuchTableError):
        table = catalog.load_table(f"{NAMESPACE}.{_name(data)}")
        catalog.drop_table(table.name())
        shutil.rmtree(unquote(urlparse(table.location()).path), ignore_errors=True)


def _name(data: Input) -> str:
    return data.folder.name.replace("-", "_")


def _write(table: "Table", partition: int, records: Path) -> DataFile:
    place = f"{table.location()}/data/{partition}.parquet"
    file = Path(unquote(urlparse(place).path))
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = schema_to_pyarrow(SCHEMA, include_field_ids=True)
    count = 0
    # The records are compressed already.
    with pq.ParquetWriter(file, schema, compression="none", use_dictionary=["shard_id"]) as writer:
        for rows in _row_groups(records, f"shardId-{partition:012d}"):
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count += len(rows)
    return _data_file(place, file.stat().st_size, count)


def _row_groups(records: Path, shard_id: str) -> Iterator[list[tuple[bytes, str, str, int]]]:
    """Rows of the table, as many as are read at once."""
    rows: list[tuple[bytes, str, str, int]] = []
    size = 0
    for number, record in enumerate(read_records(records)):
        arrived_at = _header(record[: record.index(b"\n")]).sent_at + ARRIVAL_MS
        rows.append((record, shard_id, f"{number:020d}", arrived_at * 1_000))
        size += len(record)
        if size >= _ROW_GROUP_BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _data_file(place: str, size: int, count: int) -> DataFile:
    """Entry of a file, without the offsets at which readers would cut it up whatever the table says."""
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=place,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=count,
        file_size_in_bytes=size,
        sort_order_id=None,
        spec_id=0,
        equality_ids=None,
        key_metadata=None,
        split_offsets=None,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={},
        upper_bounds={},
    )
