"""PostgreSQL: the events inserted in batches, one table a kind as in the lake, duplicates refused by a primary key.

It does less than the job: no order, no gaps, no audit. The events are decoded and routed by the same code; then each
table gets its rows of a batch by one statement, and a batch is one transaction.
"""

import time
from itertools import chain, islice
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
import psycopg

from bench.contender import SHORTEST_TIMED_S, WARM_UP_SHARE, Measurement
from bench.input import Input
from bench.postgres_server import MemoryWatch, PostgresServer
from codewave.contract.events import AnyEvent
from codewave.local.settings import LocalSettings
from udfs.decode import event_type
from udfs.route import ROUTES
from udfs.rows import LAKE_OUTPUTS, EventRow, Row, Timestamp
from udfs.rules import DEFAULT_RULES

BATCH_EVENTS: Final = 4_000
"""Events of a transaction; measured: twice as many are not faster."""
_TYPES: Final[dict[object, str]] = {str: "text", int: "bigint", bool: "boolean"}
_decode = msgspec.json.Decoder(AnyEvent).decode
_encode = msgspec.json.Encoder().encode


class Table:
    """One event table, with the columns of its row Struct; ``event_id`` is its primary key."""

    def __init__(self, name: str, row: type[Row]) -> None:
        hints = get_type_hints(row, include_extras=True)
        self.name = name
        self.columns = {field: _sql_type(field, hints[field]) for field in row.__struct_fields__}

    @property
    def create(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(f"{column} {kind}" for column, kind in self.columns.items())
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY (event_id))"

    @property
    def insert(self) -> str:
        """The statement that takes one array a column, times in ms since epoch."""
        arrays = ", ".join(f"%b::{_array_type(kind)}[]" for kind in self.columns.values())
        values = ", ".join(
            f"to_timestamp({column} / 1000.0)" if kind == "timestamptz" else f"{column}::{kind}"
            for column, kind in self.columns.items()
        )
        names = ", ".join(self.columns)
        return (
            f"INSERT INTO {self.name} ({names}) SELECT {values} "  # noqa: S608 -- names of ours
            f"FROM unnest({arrays}) AS given ({names}) ON CONFLICT DO NOTHING"
        )


def _sql_type(field: str, hint: Any) -> str:
    if field == "event_id":
        return "uuid"
    if hint == Timestamp:
        return "timestamptz"
    if get_origin(hint) is list:
        return "jsonb"
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    return _TYPES[get_args(kinds[0])[0] if get_origin(kinds[0]) is Annotated else kinds[0]]


def _array_type(kind: str) -> str:
    return {"timestamptz": "bigint", "jsonb": "text", "uuid": "text"}.get(kind, kind)


TABLES: Final = {name: Table(name, row) for name, row in LAKE_OUTPUTS.items() if issubclass(row, EventRow)}


class PostgresContender:
    """A server that is started with the first run, and one connection that inserts."""

    name = "postgres"
    title = "PostgreSQL, INSERT … ON CONFLICT DO NOTHING"
    slow = 2
    shortest_s = SHORTEST_TIMED_S

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._server: PostgresServer | None = None

    def run(self, data: Input) -> Measurement:
        """Insert ``data`` into empty tables.

        :raises ContenderError: if there is no server to be had, or it does not start.
        """
        began = time.perf_counter()
        server = self._running()
        with psycopg.connect(server.address) as connection, MemoryWatch(server) as memory:
            for table in TABLES.values():
                connection.execute(f"DROP TABLE IF EXISTS {table.name}")
                connection.execute(table.create)
            connection.commit()
            startup_s = time.perf_counter() - began
            measurement = self._insert(connection, server, data)
            counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in TABLES]  # noqa: S608
        measurement.startup_seconds = startup_s
        measurement.stored = sum(count[0] for count in counts if count)
        measurement.rss_bytes = memory.highest_bytes
        return measurement

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _running(self) -> PostgresServer:
        if self._server is None:
            self._server = PostgresServer(self._settings)
            self._server.start()
        return self._server

    def _insert(self, connection: psycopg.Connection[Any], server: PostgresServer, data: Input) -> Measurement:
        lines = chain.from_iterable(path.open("rb") for path in data.events)
        events = first = 0
        began = (0.0, 0.0)
        while batch := list(islice(lines, BATCH_EVENTS)):
            for name, rows in _rows(batch).items():
                connection.execute(TABLES[name].insert, _columns(TABLES[name], rows))
            connection.commit()
            events += len(batch)
            if not first and events >= data.count * WARM_UP_SHARE:
                first, began = events, _now(server)
        seconds, cpu_seconds = (end - start for start, end in zip(began, _now(server), strict=True))
        return Measurement(events - first, seconds, cpu_seconds, 0, 0.0, 0)


def _now(server: PostgresServer) -> tuple[float, float]:
    return time.perf_counter(), time.process_time() + server.cpu_seconds()


def _rows(lines: list[bytes]) -> dict[str, list[Row]]:
    """The rows of a batch, by table."""
    found: dict[str, list[Row]] = {}
    for line in lines:
        event = _decode(line)
        kind = event_type(event)
        skewed = abs(event.occurred_at - event.received_at) > DEFAULT_RULES.clock_skew_ms
        table, make = ROUTES[kind]
        found.setdefault(table, []).append(make(event, False, skewed))
    return found


def _columns(table: Table, rows: list[Row]) -> list[list[Any]]:
    """One array a column."""
    return [_column(column, kind, rows) for column, kind in table.columns.items()]


def _column(column: str, kind: str, rows: list[Row]) -> list[Any]:
    values = [getattr(row, column) for row in rows]
    return [_encode(value).decode() for value in values] if kind == "jsonb" else values
