"""An example lake for tests: the stream's logic fills tables of a catalog on SQLite; nothing is started."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from example_rooms import ROOM, START_MS, record
from msgspec import Struct, structs
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from codewave.contract.events import Event
from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.definition import read_definitions
from iceberg.engine import DuckDbEngine
from udfs.quarantine import Record
from udfs.room import Step
from udfs.rows import LAKE_OUTPUTS
from udfs.rules import Rules
from udfs.state import KeyStates, RoomState

NAMESPACE = "rooms"


def sqlite_catalog(folder: Path) -> SqlCatalog:
    """Return a catalog whose files are in ``folder``/warehouse."""
    warehouse = folder / "warehouse"
    warehouse.mkdir(parents=True, exist_ok=True)
    return SqlCatalog("test", uri=f"sqlite:///{folder}/catalog.db", warehouse=warehouse.as_uri())


class ExampleLake:
    """Tables of one namespace and a room whose records fill them."""

    def __init__(self, folder: Path) -> None:
        """Make the tables."""
        self.catalog: Catalog = sqlite_catalog(folder)
        self.warehouse = folder / "warehouse"
        apply_definitions(self.catalog, Namespace(NAMESPACE), read_definitions())
        self._state, self._keys = RoomState(), KeyStates(lambda _: None)
        self._records = 0

    def engine(self) -> DuckDbEngine:
        """Return an engine over this lake."""
        return DuckDbEngine(self.catalog, NAMESPACE, self.warehouse)

    def take(self, *events: Event) -> None:
        """Let the stream's logic take in one record of these events."""
        self.take_bytes(record(list(events)))

    def take_bytes(self, data: bytes) -> None:
        """Let the stream's logic take in one record as it came."""
        self._records += 1
        step = Step(ROOM, self._state, self._keys, Rules(), START_MS + 1_000)
        rows = step.process(Record(data, "shard-0", str(self._records), START_MS + 500))
        for output in LAKE_OUTPUTS.keys() & rows.keys():
            self.append(output, *rows[output])

    def append(self, table: str, *rows: Struct) -> None:
        """Append rows, as the stream's sink would."""
        target = self.catalog.load_table((NAMESPACE, table))
        schema = target.schema().as_arrow()
        target.append(pa.Table.from_pylist([_values(row, schema) for row in rows], schema=schema))


def _values(row: Struct, schema: Any) -> dict[str, Any]:
    return {name: _converter(schema.field(name).type)(value) for name, value in structs.asdict(row).items()}


def _converter(kind: Any) -> Callable[[Any], Any]:
    if pa.types.is_timestamp(kind):
        return lambda value: None if value is None else datetime.fromtimestamp(value / 1000, tz=UTC)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        fields = {field.name: field for field in kind.value_type}
        return lambda rows: [
            {name: _converter(fields[name].type)(value) for name, value in zip(fields, _fields(row), strict=True)}
            for row in rows
        ]
    return lambda value: value


def _fields(row: Any) -> tuple[Any, ...]:
    """The fields of a nested row, which may be a plain tuple of them."""
    return row if isinstance(row, tuple) else structs.astuple(row)
