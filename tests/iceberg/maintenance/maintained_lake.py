"""A lake with one table of notes, for tests of its maintenance; nothing is started."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from example_lake import NAMESPACE, sqlite_catalog
from msgspec.structs import replace
from pyiceberg.table import Table

from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.definition import Column, TableDefinition
from iceberg.engine import DuckDbEngine
from iceberg.lake import Lake

TABLE = "notes"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
TARGET_SIZE = "write.target-file-size-bytes"


def _column(name: str, kind: str = "string", classification: str = "metadata") -> Column:
    return Column(name=name, type=kind, description=f"The {name}.", classification=classification)  # type: ignore[arg-type]


PARTS = Column(name="parts", type="list", description="Parts.", fields=(_column("word"), _column("length", "long")))
NOTES = TableDefinition(
    name=TABLE,
    description="Notes.",
    row="a note",
    owner="someone",
    written_by="stream",
    retention_days=7,
    partition=("day(at)",),
    sort=("id", "number"),
    columns=(
        _column("id"),
        _column("number", "long"),
        _column("at", "timestamptz"),
        _column("text", classification="user_content"),
        PARTS,
    ),
)


def lake_of(folder: Path, definition: TableDefinition = NOTES) -> Lake:
    """Return a lake that holds this table; called again, another handle on the same one."""
    catalog, namespace = sqlite_catalog(folder), Namespace(NAMESPACE)
    apply_definitions(catalog, namespace, [definition])
    engine = DuckDbEngine(catalog, NAMESPACE, folder / "warehouse")
    return Lake(catalog, namespace, engine, folder / "state", (definition,))


def notes(count: int, start: int = 0, at: datetime = DAY) -> list[dict[str, Any]]:
    """Return notes numbered from ``start``, in no order that a sort would give, one a second."""
    return [
        {
            "id": f"note-{number * 7919 % 97:02}",
            "number": number,
            "at": at + timedelta(seconds=number % 80_000),
            "text": f"what people wrote {number}" * 3,
            "parts": [{"word": f"word {number}", "length": number}] * (number % 3),
        }
        for number in range(start, start + count)
    ]


def append(lake: Lake, rows: Iterable[dict[str, Any]], files: int = 1, **told: str) -> None:
    """Append rows in one commit of about so many files a partition; ``told`` goes into the snapshot's summary."""
    table = lake.load(TABLE)
    schema = table.schema().as_arrow()
    arrow = pa.Table.from_pylist(list(rows), schema=schema)
    target = table.properties[TARGET_SIZE]
    if files > 1:
        table = _set_target(table, str(arrow.nbytes // files))
    table.append(arrow, snapshot_properties={key.replace("_", "-"): value for key, value in told.items()})
    if files > 1:
        _set_target(lake.load(TABLE), target)


def set_target(lake: Lake, size_bytes: int) -> None:
    """Set the size that the table's files should have."""
    _set_target(lake.load(TABLE), str(size_bytes))


def _set_target(table: Table, size: str) -> Table:
    with table.transaction() as transaction:
        transaction.set_properties({TARGET_SIZE: size})
    return table


def commit_of_flink(
    lake: Lake, rows: Iterable[dict[str, Any]], checkpoint: int, job: str = "j", operator: str = "o"
) -> int:
    """Append rows as a Flink job does; returns the snapshot's id."""
    flink = {"job-id": job, "operator-id": operator, "max-committed-checkpoint-id": str(checkpoint)}
    append(lake, rows, **{f"flink.{key}": value for key, value in flink.items()})
    return newest(lake)


def newest(lake: Lake) -> int:
    """Return the id of the newest snapshot."""
    snapshot = lake.load(TABLE).current_snapshot()
    assert snapshot
    return snapshot.snapshot_id


def rows_of(lake: Lake, snapshot_id: int | None = None) -> Counter[str]:
    """Return what the table holds, as often as it holds it."""
    rows = lake.load(TABLE).scan(snapshot_id=snapshot_id).to_arrow().to_pylist()
    return Counter(str(row) for row in rows)


def as_rows(lake: Lake, rows: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return rows as :func:`rows_of` does."""
    schema = lake.load(TABLE).schema().as_arrow()
    return Counter(str(row) for row in pa.Table.from_pylist(list(rows), schema=schema).to_pylist())


def paths_of(lake: Lake) -> list[str]:
    """Return the paths of the newest snapshot's data files."""
    return [task.file.file_path for task in lake.load(TABLE).scan().plan_files()]


def stored(folder: Path, pattern: str = "*.parquet") -> set[str]:
    """Return the paths of the table's files on disk."""
    return {str(path) for path in (folder / "warehouse" / NAMESPACE / TABLE).rglob(pattern)}


def with_partition(*partition: str, **more: Any) -> TableDefinition:
    """Return the table's definition with other partitions."""
    return replace(NOTES, partition=partition, **more)
