"""Verdicts as they were stored, each with the failing rows that were kept."""

from typing import Any, Final

from msgspec import Struct
from pyiceberg.expressions import AlwaysTrue

from iceberg.lake import Lake
from iceberg.quality.conditions import equal, one_of
from iceberg.quality.store import FAILURES, RESULTS

_SHOWN: Final = ("run_id", "run_at", "table_name", "interval_start", "expectation", "severity")
_FOUND: Final = ("success", "observed", "why")


class StoredVerdict(Struct, frozen=True, kw_only=True):
    """What one expectation said of one interval in a table's last run."""

    table_name: str
    interval: str
    """Its start; ``whole`` where the table is judged whole."""
    expectation: str
    severity: str
    success: bool
    observed: str
    why: str
    failing: list[str]


def last_results(lake: Lake, table: str | None) -> list[StoredVerdict]:
    """The verdicts of the last run of each table, or of one; those that failed first.

    :raises CodewaveError: if quality's tables have not been made.
    :raises WrongUseError: if there is no such table.
    """
    where = equal("table_name", lake.definition(table).name) if table else AlwaysTrue()
    rows = lake.load(RESULTS).scan(row_filter=where, selected_fields=(*_SHOWN, *_FOUND)).to_arrow().to_pylist()
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:
        last = newest.setdefault(row["table_name"], row)
        if row["run_at"] > last["run_at"]:
            newest[row["table_name"]] = row
    runs = {row["run_id"] for row in newest.values()}
    failing = _failing(lake, runs)
    verdicts = [_verdict(row, failing.get(_place(row), [])) for row in rows if row["run_id"] in runs]
    return sorted(verdicts, key=lambda one: (one.success, one.severity, one.table_name, one.interval, one.expectation))


def _failing(lake: Lake, runs: set[str]) -> dict[tuple[Any, ...], list[str]]:
    found: dict[tuple[Any, ...], list[str]] = {}
    if runs:
        for row in lake.load(FAILURES).scan(row_filter=one_of("run_id", runs)).to_arrow().to_pylist():
            found.setdefault(_place(row), []).append(" ".join(filter(None, [row["row_key"], row["value"]])))
    return found


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["run_id"], row["interval_start"], row["expectation"]


def _verdict(row: dict[str, Any], failing: list[str]) -> StoredVerdict:
    start = row["interval_start"]
    return StoredVerdict(
        table_name=row["table_name"],
        interval=f"{start:%Y-%m-%dT%H:%M}" if start else "whole",
        expectation=row["expectation"],
        severity=row["severity"],
        success=row["success"],
        observed=row["observed"],
        why=row["why"],
        failing=failing,
    )
