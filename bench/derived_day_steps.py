"""Steps of the suite of derived tables, each a program of its own, so that its memory is its own.

``python -m bench.derived_day_steps <step> <round's folder> <table>`` prints what was measured as JSON.
A round works on a copy of the day's catalog file: it sees the day's files, and what it commits is its own.
"""

import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import msgspec
from msgspec import Struct
from sqlglot import exp

from bench.contender import ContenderError
from bench.derived_day_input import CATALOG_FILE, DAY, open_lake, records
from bench.program import answer_of, highest_memory_bytes
from iceberg.apply import apply_definitions
from iceberg.athena import duckdb_sql, parse_select, source_tables
from iceberg.billing import close_day
from iceberg.billing.seal import LEDGER, SEALS
from iceberg.definition import TableDefinition
from iceberg.derive import Interval, derive, touched_intervals
from iceberg.engine import MEMORY_LIMIT, utc_connection
from iceberg.lake import Lake

TABLES: Final = (
    LEDGER,
    "usage_daily",
    "session_summary",
    "room_activity_hourly",
    "pipeline_reliability_hourly",
    "reconciliation_hourly",
)
"""In an order in which each finds what it reads."""
_TIMEOUT_S: Final = 900.0

T = TypeVar("T")


class Step(Struct, kw_only=True):
    """What was measured of one table."""

    seconds: float
    """Of deriving all intervals that have rows, of querying them, or of closing the day."""
    cpu_seconds: float
    rows_in: int
    """Rows of the sources."""
    rows_out: int
    rss_bytes: int = 0
    """Most memory of the process."""
    intervals: int = 1
    finding_seconds: float = 0.0
    """Of finding the intervals."""
    again_seconds: float = 0.0
    """Of deriving all of them again, which changes nothing."""


def run_step(step: str, work: Path, table: str) -> Step:
    """Run a step in a process of its own.

    :raises ContenderError: with the end of what it said, if it fails.
    """
    command = [sys.executable, "-m", "bench.derived_day_steps", step, str(work), table]
    return answer_of(f"{table}, {step}", command, Step, _TIMEOUT_S)


def begin_round(day: Path, work: Path) -> Lake:
    """A new round: the day as it was made, and derived tables that are empty.

    :param work: the round's folder, beside the day's; what was in it is removed.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copyfile(day / CATALOG_FILE, work / CATALOG_FILE)
    lake = open_round(work)
    apply_definitions(lake.catalog, lake.namespace, [lake.definition(name) for name in (*TABLES, SEALS)])
    return lake


def open_round(work: Path) -> Lake:
    """The lake of a round that has begun."""
    return open_lake(work / CATALOG_FILE, work / "warehouse", work.parent)


def derived(lake: Lake, table: str) -> Step:
    """Find the intervals of a table that have rows, derive them, and derive them again."""
    rows_in = _rows_in(lake, table)
    finding, _, intervals = _timed(lambda: touched_intervals(lake, table).intervals)
    seconds, cpu, runs = _timed(lambda: [derive(lake, table, one) for one in intervals])
    again, _, unchanged = _timed(lambda: [derive(lake, table, one) for one in intervals])
    if changed := [str(run.interval) for run in unchanged if run.snapshot_id is not None]:
        raise ContenderError(f"{table}: gave other rows when it was derived again: {', '.join(changed)}")
    return Step(
        seconds=seconds,
        cpu_seconds=cpu,
        finding_seconds=finding,
        again_seconds=again,
        intervals=len(intervals),
        rows_in=rows_in,
        rows_out=sum(run.rows for run in runs),
    )


def queried(lake: Lake, table: str) -> Step:
    """The same query alone: DuckDB over the same Parquet files, without anything of Iceberg."""
    definition = lake.definition(table)
    intervals = touched_intervals(lake, table).intervals
    with utc_connection() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        files = {name: _parquet(connection, lake, name) for name in source_tables(definition.query)}
        seconds, cpu, rows = _timed(lambda: [_query(connection, definition, files, one) for one in intervals])
    return Step(
        seconds=seconds, cpu_seconds=cpu, rows_in=_rows_in(lake, table), rows_out=sum(rows), intervals=len(intervals)
    )


def closed(lake: Lake, table: str) -> Step:
    """The day's billing close."""
    rows_in = sum(records(lake, name) for name in (table, "execution_events"))
    later = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(days=3)
    seconds, cpu, seal = _timed(lambda: close_day(lake, DAY, now=later))
    return Step(seconds=seconds, cpu_seconds=cpu, rows_in=rows_in, rows_out=seal.rows)


STEPS: Final[dict[str, Callable[[Lake, str], Step]]] = {"derive": derived, "query": queried, "close": closed}


def _rows_in(lake: Lake, table: str) -> int:
    sources = source_tables(lake.definition(table).query)
    return sum(records(lake, name) for name in sources if name != table)


def _parquet(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> exp.Expr:
    """What stands for a table in a query over its files."""
    handle = lake.load(table)
    files = [task.file.file_path.removeprefix("file://") for task in handle.scan().plan_files()]
    if not files:
        connection.register(table, handle.schema().as_arrow().empty_table())
        return exp.to_identifier(table)
    return exp.Anonymous(this="read_parquet", expressions=[exp.Array(expressions=[*map(exp.Literal.string, files)])])


def _query(
    connection: duckdb.DuckDBPyConnection, definition: TableDefinition, files: dict[str, exp.Expr], interval: Interval
) -> int:
    tree = parse_select(definition.query, {"interval_start": interval.start, "interval_end": interval.end})
    rows: int = connection.sql(duckdb_sql(tree, lambda name: files[name].copy())).to_arrow_table().num_rows
    return rows


def _timed(work: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds by the clock and of the CPU, and what the work gave."""
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - began, time.process_time() - cpu, result


def main(step: str, work: str, table: str) -> None:
    """Run one step, and print what was measured."""
    measured = STEPS[step](open_round(Path(work)), table)
    measured.rss_bytes = highest_memory_bytes()
    sys.stdout.write(msgspec.json.encode(measured).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
