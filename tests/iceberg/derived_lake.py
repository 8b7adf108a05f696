"""A lake for tests of derived tables: only the tables they need, rows given as far as a test cares about them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from example_lake import sqlite_catalog
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import event

from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.athena import source_tables
from iceberg.definition import Column, read_definitions
from iceberg.derive import Interval
from iceberg.derive.interval import interval_of
from iceberg.engine import DuckDbEngine
from iceberg.lake import Lake

DEFINITIONS: Final = {definition.name: definition for definition in read_definitions()}
DERIVED: Final = [definition for definition in DEFINITIONS.values() if definition.derived]

_EMPTY: Final[dict[str, Any]] = {
    "string": "",
    "long": 0,
    "double": 0.0,
    "boolean": False,
    "binary": b"",
    "list": [],
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
    "date": date(2026, 1, 1),
}
"""What a required column holds where a test does not say."""


def quick_catalog(folder: Path) -> SqlCatalog:
    """Return a catalog on SQLite that does not wait for the disk."""
    catalog = sqlite_catalog(folder)
    event.listen(catalog.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    catalog.engine.dispose()
    return catalog


def lake_with(catalog: SqlCatalog, warehouse: Path, *tables: str, namespace: str = "rooms") -> Lake:
    """Return a lake that has these tables, and the sources of those that are derived."""
    needed = dict.fromkeys(name for table in tables for name in (table, *sources_of(table)))
    name = Namespace(namespace)
    apply_definitions(catalog, name, [DEFINITIONS[table] for table in needed])
    engine = DuckDbEngine(catalog, namespace, warehouse)
    return Lake(catalog, name, engine, warehouse.parent / "state", tuple(DEFINITIONS.values()))


def sources_of(table: str) -> tuple[str, ...]:
    """Return the tables that a derived table's query reads, and the one that says what is sealed."""
    definition = DEFINITIONS[table]
    if not definition.derived:
        return ()
    return tuple(filter(None, [*source_tables(definition.query), definition.sealed_by]))


def put(lake: Lake, table: str, *rows: dict[str, Any]) -> None:
    """Append rows in one commit; columns that are not given are empty."""
    handle = lake.load(table)
    columns = lake.definition(table).columns
    values = [_row(row, columns) for row in rows]
    handle.append(pa.Table.from_pylist(values, schema=handle.schema().as_arrow()))


def held(lake: Lake, table: str, *columns: str) -> list[dict[str, Any]]:
    """Return what a table holds, in its sort order; all columns if none is named."""
    rows = lake.load(table).scan(selected_fields=columns or ("*",)).to_arrow().to_pylist()
    order = [name for name in lake.definition(table).sort if not columns or name in columns]
    return sorted(rows, key=lambda row: [str(row[name]) for name in order])


def day(text: str) -> Interval:
    """Return the interval of a day."""
    return interval_of("day", date.fromisoformat(text))


def hour(text: str) -> Interval:
    """Return the interval of an hour."""
    return interval_of("hour", at(text))


def at(text: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _row(given: dict[str, Any], columns: Iterable[Column]) -> dict[str, Any]:
    known = {column.name: column for column in columns}
    assert given.keys() <= known.keys(), f"no such columns: {given.keys() - known.keys()}"
    return {name: _value(given.get(name), column) for name, column in known.items()}


def _value(value: Any, column: Column) -> Any:
    if value is None:
        return _EMPTY[column.type] if column.required else None
    if column.type == "list":
        return [_row(one, column.fields) for one in value]
    if column.type == "timestamptz":
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return value
