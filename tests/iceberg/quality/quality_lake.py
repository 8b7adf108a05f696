"""A small lake for the tests of quality: a few of the real tables on a SQLite catalog, and rows that break no rule."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from example_lake import NAMESPACE, sqlite_catalog
from example_rooms import uuid7

from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.definition import read_definitions
from iceberg.derive.interval import Interval
from iceberg.engine import DuckDbEngine
from iceberg.lake import Lake

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = Interval(DAY, DAY + timedelta(hours=1))
NEXT_HOUR = Interval(HOUR.end, HOUR.end + timedelta(hours=1))
QUALITY = ("quality_results", "quality_failures", "column_profiles")


def quality_lake(folder: Path, *tables: str) -> Lake:
    """Some of the real tables, and those that quality writes."""
    definitions = tuple(one for one in read_definitions() if one.name in {*tables, *QUALITY})
    catalog = sqlite_catalog(folder)
    apply_definitions(catalog, Namespace(NAMESPACE), list(definitions))
    engine = DuckDbEngine(catalog, NAMESPACE, folder / "warehouse")
    return Lake(catalog, Namespace(NAMESPACE), engine, folder / "state", definitions)


def outcome(number: int, **changes: Any) -> dict[str, Any]:
    """A row of execution_outcomes, as the stream would write it."""
    at = DAY + timedelta(seconds=number)
    row = {
        "execution_id": f"run-{number}",
        "revision": 1,
        "room_id": "room-7",
        "user_id": "ada",
        "session_id": "tab-ada",
        "language": "python",
        "queued_at": at,
        "started_at": at,
        "finished_at": at,
        "received_at": at,
        "outcome": "succeeded",
        "cpu_ms": 120,
        "wall_ms": 480,
        "peak_memory_bytes": 31_457_280,
        "output_chunks": 1,
        "output_bytes": 3,
        "event_id": uuid7(f"execution:run-{number}", 4),
        "decided_by": "event",
    }
    return row | changes


def message(number: int, **changes: Any) -> dict[str, Any]:
    """A row of chat_messages."""
    at = DAY + timedelta(seconds=number)
    row = {
        "event_id": uuid7("session:tab-ada", number),
        "type": "chat.posted",
        "version": 1,
        "room_id": "room-7",
        "session_id": "tab-ada",
        "user_id": "ada",
        "ordering_key": "session:tab-ada",
        "sequence": number + 1,
        "occurred_at": at,
        "received_at": at,
        "late": False,
        "clock_skew": False,
        "text": "What nobody else may read",
    }
    return row | changes


def append(lake: Lake, table: str, *rows: dict[str, Any]) -> None:
    """Put rows into a table by hand."""
    handle = lake.load(table)
    handle.append(pa.Table.from_pylist(list(rows), schema=handle.schema().as_arrow()))


def rows_of(lake: Lake, table: str) -> list[dict[str, Any]]:
    """Everything that a table holds."""
    found: list[dict[str, Any]] = lake.load(table).scan().to_arrow().to_pylist()
    return found
