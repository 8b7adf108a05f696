"""A day of the lake, for the suite of derived tables: made once from a seed, and kept in files of its own.

Of so many executions each has an outcome and the two events that it is made from; there are as many edits of
documents, fewer cursor moves and messages, and an audit in which all counts close, so that the day can be sealed. Rows
are as compaction leaves them: one file a partition, in the table's sort order.
"""

import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from pyiceberg.catalog.sql import SqlCatalog

from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.definition import TableDefinition, read_definitions
from iceberg.engine import DuckDbEngine
from iceberg.lake import Lake

GENERATOR_VERSION: Final = 1
"""Raise it with every change of what is generated: kept days are then made anew."""
DAY: Final = date(2026, 1, 1)
"""Which day it is does not matter."""
ROWS: Final = 1_000_000
"""Executions of a whole day, and edits; a smaller day has as many a second, and ends earlier."""
CATALOG_FILE: Final = "catalog.db"
STREAM_TABLES: Final = (
    "execution_outcomes",
    "execution_events",
    "execution_logs",
    "document_operations",
    "presence_events",
    "chat_messages",
    "record_audit",
    "quarantined_events",
    "sequence_gaps",
)
"""What derived tables and the billing close read; those that are not filled have no rows."""

_START: Final = np.datetime64(DAY.isoformat(), "us")
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_QUEUED_US: Final = 4_000_000
"""At most, from an execution's queued event to its end."""
_MOVES: Final = 10
"""So many times fewer than edits."""
_MESSAGES: Final = 50
_RECORD_EVENTS: Final = 50
_OUTCOMES: Final = ("succeeded", "succeeded", "succeeded", "succeeded", "failed", "timed_out", "cancelled", "lost")
_LANGUAGES: Final = ("python", "rust", "java", "go", "typescript")


class DaySpec(Struct, frozen=True, kw_only=True):
    """What is generated; the same spec gives the same rows."""

    rows: int
    """Executions; as many edits."""
    rooms: int = 5_000
    users: int = 25_000
    sessions: int = 30_000
    documents: int = 9_000
    seed: int = 7


Columns = dict[str, Any]
"""Column → its values; those of a table that are not given are empty."""


def prepared_day(spec: DaySpec, folder: Path) -> Path:
    """Make a day, or find it where it was made before.

    :param folder: holds the days. Files of a lake name each other by their full paths: it must stay where it is.
    :returns: the day's folder, with the catalog's file.
    """
    definitions = [one for one in read_definitions() if one.name in STREAM_TABLES]
    target = folder / f"input-{_name(spec, folder, definitions)}"
    catalog = target / CATALOG_FILE
    if not catalog.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        making = target / f"{CATALOG_FILE}.part"
        _fill(open_lake(making, target / "warehouse", folder), definitions, spec)
        making.rename(catalog)
    return target


def open_lake(catalog_file: Path, warehouse: Path, allowed: Path) -> Lake:
    """A lake on a catalog of one file.

    :param warehouse: where new tables are put.
    :param allowed: the folder below which all of its tables' files are.
    """
    warehouse.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("bench", uri=f"sqlite:///{catalog_file}", warehouse=warehouse.as_uri())
    namespace = Namespace()
    engine = DuckDbEngine(catalog, namespace.name, allowed)
    return Lake(catalog, namespace, engine, warehouse.parent / "state", tuple(read_definitions()))


def records(lake: Lake, table: str) -> int:
    """Rows that a table holds, by its newest snapshot."""
    snapshot = lake.load(table).current_snapshot()
    return int(snapshot.summary["total-records"] or 0) if snapshot and snapshot.summary else 0


def _name(spec: DaySpec, folder: Path, definitions: list[TableDefinition]) -> str:
    text = msgspec.json.encode([GENERATOR_VERSION, spec, str(folder.resolve()), definitions])
    return hashlib.blake2s(text, digest_size=6).hexdigest()


def _fill(lake: Lake, definitions: list[TableDefinition], spec: DaySpec) -> None:
    apply_definitions(lake.catalog, lake.namespace, definitions)
    day = _Day(spec)
    counts: dict[str, np.ndarray[Any, Any]] = {}
    for table, columns in day.tables():
        _append(lake, table, columns)
        if "type" in columns:
            _count(counts, columns)
    _append(lake, "record_audit", day.audit(counts))


def _count(counts: dict[str, np.ndarray[Any, Any]], columns: Columns) -> None:
    """Add up the events of each type and hour."""
    hours = (columns["received_at"] // _HOUR_US).astype(int)
    types = np.asarray(columns["type"])
    for kind in np.unique(types):
        counts[str(kind)] = np.bincount(hours[types == kind], minlength=24)


class _Day:
    """Generates the tables one after the other, so that not all of them are in memory at once.

    Times are microseconds from the day's start.
    """

    def __init__(self, spec: DaySpec) -> None:
        self._spec = spec
        self._chance = np.random.default_rng(spec.seed)
        self._session_rooms = self._chance.integers(0, spec.rooms, spec.sessions)
        self._session_users = self._chance.integers(0, spec.users, spec.sessions)
        self._span_us = min(_DAY_US, _DAY_US * spec.rows // ROWS)

    def tables(self) -> Iterator[tuple[str, Columns]]:
        """Every table with events or outcomes, and its columns."""
        outcomes = self._outcomes()
        yield "execution_outcomes", outcomes
        yield "execution_events", self._execution_events(outcomes)
        del outcomes
        yield "document_operations", self._edits()
        moves = self._events(self._spec.rows // _MOVES, "cursor.moved")
        yield "presence_events", moves | {"position": np.ones(len(moves["type"]), "int64")}
        messages = self._events(self._spec.rows // _MESSAGES, "chat.posted")
        yield "chat_messages", messages | {"text": ["Shall we try it with a longer list?"] * len(messages["type"])}

    def audit(self, counts: dict[str, np.ndarray[Any, Any]]) -> Columns:
        """Records of 50 events each, all of one type and hour."""
        kinds, hours, sizes = [], [], []
        for kind, by_hour in counts.items():
            for hour, events in enumerate(by_hour.tolist()):
                found = [_RECORD_EVENTS] * (events // _RECORD_EVENTS) + [events % _RECORD_EVENTS]
                found = [size for size in found if size]
                kinds += [kind] * len(found)
                hours += [hour] * len(found)
                sizes += found
        times = np.array(hours) * _HOUR_US + self._chance.integers(0, _HOUR_US, len(hours))
        none = {"duplicate": 0, "quarantined": 0, "pending": 0, "released": 0}
        starts = (_START + (np.arange(24) * _HOUR_US).astype("timedelta64[us]")).tolist()
        by_type = [
            [{"type": kind, "hour": starts[hour].replace(tzinfo=UTC), "received": size, "stored": size} | none]
            for kind, hour, size in zip(kinds, hours, sizes, strict=True)
        ]
        return {
            "cause": ["record"] * len(kinds),
            "room_id": _ids("room", self._chance.integers(0, self._spec.rooms, len(kinds))),
            "arrived_at": times,
            "received_at": times,
            "processed_at": times + 1_000_000,
            "bytes": np.array(sizes) * 500,
            "received": sizes,
            "stored": sizes,
            "by_type": by_type,
            "process_delay_ms": self._chance.integers(1, 2_100, len(kinds)),
        }

    def _outcomes(self) -> Columns:
        count = self._spec.rows
        finished = self._times(count)
        return self._who(count) | {
            "execution_id": self._random_ids(count),
            "event_id": self._random_ids(count),
            "revision": np.ones(count, "int64"),
            "document_id": _ids("document", self._chance.integers(0, self._spec.documents, count)),
            "language": self._one_of(_LANGUAGES, count),
            "worker_id": _ids("worker", self._chance.integers(0, 200, count)),
            "queued_at": np.maximum(0, finished - self._chance.integers(0, _QUEUED_US, count)),
            "started_at": finished,
            "finished_at": finished,
            "received_at": finished,
            "outcome": self._one_of(_OUTCOMES, count),
            "exit_code": np.zeros(count, "int64"),
            "cpu_ms": self._chance.integers(1, 5_000, count),
            "wall_ms": self._chance.integers(1, 20_000, count),
            "peak_memory_bytes": self._chance.integers(1, 1 << 28, count),
            "decided_by": ["event"] * count,
        }

    def _execution_events(self, outcomes: Columns) -> Columns:
        """The queued and the finished event of every execution."""
        count = self._spec.rows
        same = ("execution_id", "room_id", "user_id", "session_id", "document_id")
        only_finished = ("outcome", "exit_code", "cpu_ms", "wall_ms", "peak_memory_bytes")
        nothing = pa.nulls(count)
        times = np.concatenate([outcomes["queued_at"], outcomes["finished_at"]])
        found = {name: _joined(outcomes[name], outcomes[name]) for name in same}
        found |= {name: _joined(nothing, outcomes[name]) for name in only_finished}
        return found | {
            "event_id": _joined(self._random_ids(count), outcomes["event_id"]),
            "type": ["execution.queued"] * count + ["execution.finished"] * count,
            "version": np.ones(2 * count, "int64"),
            "ordering_key": found["execution_id"],
            "sequence": np.repeat([1, 2], count),
            "occurred_at": times,
            "received_at": times,
        }

    def _edits(self) -> Columns:
        count = self._spec.rows
        documents = _ids("document", self._chance.integers(0, self._spec.documents, count))
        lengths = self._chance.integers(1, 9, count).tolist()
        patches = [[{"position": 10, "deleted": length % 3, "inserted": "abcdefgh"[:length]}] for length in lengths]
        return self._events(count, "document.edited") | {"document_id": documents, "patches": patches}

    def _events(self, count: int, kind: str) -> Columns:
        times = self._times(count)
        return self._who(count) | {
            "event_id": self._random_ids(count),
            "type": [kind] * count,
            "version": np.ones(count, "int64"),
            "ordering_key": self._random_ids(count),
            "sequence": np.ones(count, "int64"),
            "occurred_at": times,
            "received_at": times,
        }

    def _who(self, count: int) -> Columns:
        sessions = self._chance.integers(0, self._spec.sessions, count)
        return {
            "session_id": _ids("session", sessions),
            "room_id": _ids("room", self._session_rooms[sessions]),
            "user_id": _ids("user", self._session_users[sessions]),
        }

    def _times(self, count: int) -> np.ndarray[Any, Any]:
        return np.sort(self._chance.integers(0, self._span_us, count)) // 1_000 * 1_000

    def _one_of(self, values: tuple[str, ...], count: int) -> pa.Array:
        return pa.array(values).take(pa.array(self._chance.integers(0, len(values), count)))

    def _random_ids(self, count: int) -> pa.Array:
        text = self._chance.bytes(16 * count).hex()
        return pa.array([text[place : place + 32] for place in range(0, 32 * count, 32)])


def _ids(prefix: str, numbers: np.ndarray[Any, Any]) -> pa.Array:
    known = pa.array([f"{prefix}-{number:08d}" for number in range(int(numbers.max(initial=0)) + 1)])
    return known.take(pa.array(numbers))


def _joined(first: pa.Array, second: Any) -> pa.Array:
    second = pa.array(second)
    return pa.concat_arrays([first.cast(second.type) if isinstance(first, pa.Array) else pa.array(first), second])


def _append(lake: Lake, table: str, columns: Columns) -> None:
    handle, definition = lake.load(table), lake.definition(table)
    schema = handle.schema().as_arrow()
    count = len(next(iter(columns.values())))
    required = {column.name for column in definition.columns if column.required}
    arrays = [
        _array(columns[field.name], field.type)
        if field.name in columns
        else _empty(field.type, count, required=field.name in required)
        for field in schema
    ]
    rows = pa.Table.from_arrays(arrays, schema=schema)
    handle.append(rows.sort_by([(name, "ascending") for name in definition.sort]))


def _array(values: Any, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        at = _START + np.asarray(values).astype("timedelta64[us]")
        return pa.array(at, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")).cast(kind)
    return pa.array(values, kind) if isinstance(values, list) else pa.array(values).cast(kind)


def _empty(kind: pa.DataType, count: int, *, required: bool) -> pa.Array:
    """What a column holds that is not given."""
    if not required:
        return pa.nulls(count, kind)
    values: dict[str, Any] = {"int64": 0, "bool": False, "large_string": "", "string": ""}
    if pa.types.is_timestamp(kind):
        return pa.repeat(pa.scalar(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC), kind), count)
    return pa.repeat(pa.scalar(values[str(kind)], kind), count)
