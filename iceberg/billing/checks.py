"""Does everything that a billing day is made of agree? What does not is a reason not to close it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
from msgspec import Struct

from iceberg.athena import Parameter
from iceberg.billing.calendar import SQL_FOLDER, Window
from iceberg.billing.refusal import IDS_SHOWN, Reason, Refusal
from iceberg.billing.seal import LEDGER, snapshot_of
from iceberg.derive import Interval
from iceberg.derive.replacement import interval_filter, sorted_rows
from iceberg.lake import Lake

USAGE: Final = "usage_daily"
SOURCES: Final = (
    "execution_events",
    "execution_logs",
    "execution_outcomes",
    "quarantined_events",
    "record_audit",
    "billing_seals",
    LEDGER,
    USAGE,
)
"""All that is compared; each is read at one snapshot."""
SUMS: Final = ("cpu_ms", "wall_ms", "output_bytes")

_LOOK_AT_COUNTS: Final = (
    "`codewave reconcile` shows all of it; if the job is behind or just committing, close again in a few minutes"
)
_OUTCOMES: Final[dict[str, tuple[str, str]]] = {
    "outcome_missing": (
        "{count:,} executions finished and have no outcome that says so",
        "put back what was removed from execution_outcomes, or write it again from the raw archive",
    ),
    "outcome_without_event": (
        "{count:,} executions have an outcome whose finished event is not in execution_events",
        "put back what was removed from execution_events, or write it again from the raw archive",
    ),
    "outcome_differs": (
        "{count:,} executions have a latest outcome other than their latest finished event's",
        "find out which of execution_outcomes and execution_events was changed; the raw archive has the truth",
    ),
    "revisions_broken": (
        "{count:,} executions have revisions that are not 1, 2, 3 …",
        "put back what was removed from execution_outcomes; remove what is there twice",
    ),
    "output_differs": (
        "{count:,} executions printed another number of chunks than execution_logs has",
        "put back what was removed from execution_logs or execution_outcomes; the raw archive has the truth",
    ),
}


class Snapshots(Struct, frozen=True):
    """The state of every table that is compared."""

    lake: Lake
    ids: Mapping[str, int]

    def select(self, name: str, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
        """The rows of one of the SQL files."""
        sql = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
        rows: list[dict[str, Any]] = self.lake.engine.select(sql, parameters, self.ids).to_pylist()
        return rows

    def held(self, table: str, window: Window) -> pa.Table:
        """A derived table's rows of the day."""
        definition, handle = self.lake.definition(table), self.lake.load(table)
        rows = interval_filter(handle, definition.interval_column, Interval(window.start, window.end))
        held = handle.scan(row_filter=rows, snapshot_id=self.ids.get(table)).to_arrow()
        return held.cast(handle.schema().as_arrow())

    def expected(self, table: str, window: Window) -> pa.Table:
        """What a derived table's query gives for the day now."""
        parameters = {"interval_start": window.start, "interval_end": window.end}
        answer = self.lake.engine.select(self.lake.definition(table).query, parameters, self.ids)
        schema = self.lake.load(table).schema().as_arrow()
        return answer.select(schema.names).cast(schema)


def pin(lake: Lake) -> Snapshots:
    """Hold on to the newest snapshot of every table that is compared.

    :raises CodewaveError: if one has not been made yet.
    """
    newest = {table: snapshot_of(lake.load(table)) for table in SOURCES}
    return Snapshots(lake, {table: found for table, found in newest.items() if found is not None})


def check_refusals(snapshots: Snapshots, window: Window, ledger: pa.Table) -> tuple[Refusal, ...]:
    """Every reason, for all of it is wanted at once by whoever puts it right.

    :param ledger: the day's ledger rows.
    """
    times = {"day_start": window.start, "day_end": window.end, "settled_until": window.settled_until}
    doubled = _ids(snapshots.select("duplicate_events", {**times}))
    booked_twice = _ids(snapshots.select("ledger_duplicates", {"day": window.day}))
    found = [
        *_counts(snapshots.select("counts", {"day_start": window.start, "settled_until": window.settled_until})),
        _refusal(
            "duplicate_events",
            f"execution_events has events of {len(doubled):,} executions twice, by event id or by place",
            "remove the copies; the ledger does not count them",
            doubled,
        ),
        *_outcomes(snapshots.select("outcomes", {"day_start": window.start, "day_end": window.end})),
        _refusal(
            "ledger_duplicate",
            f"{len(booked_twice):,} executions are booked twice in executions",
            f"derive the day again: `codewave dags run rederive --date {window.day}`",
            booked_twice,
        ),
        _outdated(snapshots, window, ledger),
        _usage(snapshots, window, ledger),
    ]
    return tuple(one for one in found if one)


def _counts(rows: list[dict[str, Any]]) -> Iterable[Refusal | None]:
    waiting = [row for row in rows if row["pending"] > 0]
    open_rows = [row for row in rows if row not in waiting or not _adds_up(row)]
    yield _refusal(
        "counts_do_not_close",
        f"counts of {len(open_rows):,} types and hours do not close",
        _LOOK_AT_COUNTS,
        [_in_words(row) for row in open_rows],
    )
    yield _refusal(
        "events_pending",
        f"{sum(row['pending'] for row in waiting):,} execution events wait for earlier ones",
        "gaps close a second after the next record of their shard; close again in a few minutes",
        [f"{row['type']} {row['hour']:%Y-%m-%dT%H}" for row in waiting],
    )


def _adds_up(row: dict[str, Any]) -> bool:
    accounted = row["stored"] + row["duplicate"] + row["quarantined"] + row["pending"]
    return (row["received"], row["stored"], row["quarantined"]) == (accounted, row["rows_held"], row["rows_refused"])


def _in_words(row: dict[str, Any]) -> str:
    return (
        f"{row['type']} {row['hour']:%Y-%m-%dT%H}: {row['received']} received, {row['stored']} stored and "
        f"{row['rows_held']} in the tables, {row['duplicate']} duplicate, {row['quarantined']} quarantined and "
        f"{row['rows_refused']} in the table, {row['pending']} pending"
    )


def _outcomes(rows: list[dict[str, Any]]) -> Iterable[Refusal | None]:
    for reason, (what, to_do) in _OUTCOMES.items():
        ids = [row["execution_id"] for row in rows if row["reason"] == reason]
        yield _refusal(reason, what.format(count=len(ids)), to_do, ids)  # type: ignore[arg-type]


def _outdated(snapshots: Snapshots, window: Window, ledger: pa.Table) -> Refusal | None:
    definition = snapshots.lake.definition(LEDGER)
    expected = sorted_rows(snapshots.expected(LEDGER, window), definition)
    if expected.equals(sorted_rows(ledger, definition)):
        return None
    wanted, held = _by_id(expected), _by_id(ledger)
    missing, extra = wanted.keys() - held.keys(), held.keys() - wanted.keys()
    differing = {one for one in wanted.keys() & held.keys() if wanted[one] != held[one]}
    return _refusal(
        "ledger_outdated",
        f"the ledger is not what its query gives now: {len(missing):,} executions are missing, {len(extra):,} are too "
        f"many, {len(differing):,} differ",
        f"derive the day again: `codewave dags run rederive --date {window.day}`",
        sorted(missing | extra | differing) or ["rows that are there twice"],
    )


def _by_id(rows: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["execution_id"]: row for row in rows.to_pylist()}


def _usage(snapshots: Snapshots, window: Window, ledger: pa.Table) -> Refusal | None:
    definition = snapshots.lake.definition(USAGE)
    held = sorted_rows(snapshots.held(USAGE, window), definition)
    booked, used = (_sums(rows) for rows in (ledger, held))
    problems = [
        f"{name}: {booked[name]:,} in the ledger, {used[name]:,} in usage"
        for name in SUMS
        if booked[name] != used[name]
    ]
    if not problems and not held.equals(sorted_rows(snapshots.expected(USAGE, window), definition)):
        problems = ["rows differ, their sums do not"]
    return _refusal(
        "usage_differs",
        f"{USAGE} is not what the ledger gives",
        f"derive it again: `codewave dags run rederive --date {window.day}`",
        problems,
    )


def _sums(rows: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    return {name: int(pc.sum(rows[name]).as_py() or 0) for name in SUMS}


def _refusal(reason: Reason, what: str, to_do: str, ids: list[str]) -> Refusal | None:
    if not ids:
        return None
    return Refusal(reason=reason, what=what, to_do=to_do, count=len(ids), ids=tuple(ids[:IDS_SHOWN]))


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["execution_id"] for row in rows]
