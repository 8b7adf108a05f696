"""Do the counts close? What was received against what was stored, refused or waits, and against what stores hold."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from codewave.lake.batches import MissingBatches, missing_in_words, read_missing
from codewave.lake.outcomes import OutcomeCounts, read_counts
from codewave.lake.search_counts import GAPS, IndexCount, count_indices, take_back_gaps
from codewave.lake.sent import LatestOutcome, compare_outcomes, compare_with_truth
from codewave.local.settings import LocalSettings
from codewave.workload.truth import Truth
from iceberg.engine import Engine, QueryResult, local_engine

_SQL_FOLDER: Final = Path(__file__).resolve().parent / "sql"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEMS: Final = 20
"""Problems told one by one."""
_RANGES: Final = 100
"""Missing batches listed."""


class TypeHour(Struct, kw_only=True):
    """Counts of one event type in one hour of ``received_at``; the fields of ``counts.sql``."""

    type: str
    hour: datetime
    received: int
    stored: int
    """By the audit: stored at once, or released after waiting."""
    duplicate: int
    quarantined: int
    pending: int
    """Still waiting for earlier events."""
    rows_held: int
    """Rows of the event tables."""
    events_held: int
    """Distinct events of these rows."""
    rows_refused: int
    """Rows of ``quarantined_events``."""

    def problems(self) -> dict[str, int]:
        """What does not close, each with by how many events."""
        accounted = self.stored + self.duplicate + self.quarantined + self.pending
        found = {
            f"{self.received} received, {accounted} accounted for": self.received - accounted,
            f"{self.stored} stored by the audit, {self.rows_held} in the tables": self.stored - self.rows_held,
            f"{self.rows_held} rows, {self.events_held} distinct events": self.rows_held - self.events_held,
            f"{self.quarantined} quarantined by the audit, {self.rows_refused} in the table": self.quarantined
            - self.rows_refused,
        }
        return {f"{self.type} {self.hour:%Y-%m-%dT%H}: {text}": abs(count) for text, count in found.items() if count}


class Reconciliation(Struct, kw_only=True):
    """The answer."""

    closes: bool
    """The lake's counts close; where a truth was given, everything it names is stored too."""
    difference: int
    """Events, records and executions by which they do not, added up."""
    received: int
    stored: int
    duplicate: int
    quarantined: dict[str, int]
    """By reason."""
    pending: int
    gaps: int
    """Declared."""
    gap_rows: int
    """Of ``sequence_gaps``: declared and filled."""
    rows: list[TypeHour]
    truth_matches: bool | None
    """None without a truth."""
    search_closes: bool | None
    """The search indices hold the same; None when OpenSearch does not answer or has no index of this namespace.
    Older days leave the indices before they leave the lake: compare with ``since``."""
    search: list[IndexCount]
    problems: list[str]
    """The first ones, in words."""
    executions: int = 0
    """Of which an event was accepted."""
    outcomes: OutcomeCounts = OutcomeCounts()
    records_missing: int = 0
    """Records that collectors numbered and that never came; the last ones of a collector cannot be seen missing."""
    batches_missing: list[MissingBatches] = []
    """The first of their numbers."""
    refused_again: int = 0
    """Of those quarantined: the same bytes as another, as where a record arrives twice."""


def reconcile(
    settings: LocalSettings, namespace: str = "rooms", truth: Truth | None = None, since: datetime | None = None
) -> Reconciliation:
    """Reconcile a namespace of the local stack.

    :param truth: what was sent; every event of it must be stored.
    :param since: hours from here on; default all.
    :raises CodewaveError: if the catalog is down; OpenSearch may be down.
    """
    engine = local_engine(settings, namespace)
    result = reconcile_lake(engine, truth, since)
    result.search = count_indices(settings, namespace, since, _expected_in_search(result))
    for count in result.search:
        if count.index == GAPS and count.found > count.expected:
            gap_ids = {row[0] for row in _query(engine, "gap_ids", _EPOCH).rows}
            take_back_gaps(settings, namespace, count, gap_ids)
    result.search_closes = all(count.closes for count in result.search) if result.search else None
    return result


def reconcile_lake(engine: Engine, truth: Truth | None = None, since: datetime | None = None) -> Reconciliation:
    """Reconcile the lake alone, by any engine; as :func:`reconcile`."""
    start = (since or _EPOCH).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [TypeHour(**row) for row in _named(_query(engine, "counts", start))]
    refusals = _query(engine, "refusals", start).rows
    gaps = _named(_query(engine, "gaps", start))[0]
    outcomes, wrong_outcomes = read_counts(_named(_query(engine, "outcomes", start))[0])
    missing = read_missing(_query(engine, "missing_batches", start).rows, whole=since is None)
    problems = {text: count for row in rows for text, count in row.problems().items()}
    problems |= wrong_outcomes | missing_in_words(missing)
    result = Reconciliation(
        closes=False,
        difference=sum(problems.values()),
        received=sum(row.received for row in rows),
        stored=sum(row.stored for row in rows),
        duplicate=sum(row.duplicate for row in rows),
        quarantined={reason: refused for reason, refused, _ in refusals},
        pending=sum(row.pending for row in rows),
        gaps=gaps["declared"],
        gap_rows=gaps["gap_rows"],
        rows=rows,
        truth_matches=None,
        search_closes=None,
        search=[],
        problems=list(problems),
        executions=_query(engine, "executions", start).rows[0][0],
        outcomes=outcomes,
        records_missing=sum(one.records for one in missing),
        batches_missing=missing[:_RANGES],
        refused_again=sum(again for _, _, again in refusals),
    )
    if truth:
        _add_truth(result, truth, engine)
    result.closes = result.difference == 0
    result.problems = result.problems[:_PROBLEMS]
    return result


def _add_truth(result: Reconciliation, truth: Truth, engine: Engine) -> None:
    unstored, differences = compare_with_truth(truth, result.received, result.quarantined, _stored_keys(engine))
    latest = [LatestOutcome(*row) for row in _query(engine, "latest_outcomes", _EPOCH).rows]
    wrong, wrong_outcomes = compare_outcomes(truth, latest)
    result.truth_matches = unstored == wrong == 0
    result.difference += unstored + wrong
    result.problems += differences + wrong_outcomes


def _expected_in_search(result: Reconciliation) -> dict[str, int]:
    held: Counter[str] = Counter()
    for row in result.rows:
        held[row.type] += row.events_held
    return {
        "activity": held["document.edited"],
        "chat": held["chat.posted"],
        "execution-logs": held["execution.output"],
        "executions": result.executions,
        "quarantine": sum(result.quarantined.values()),
        "gaps": result.gap_rows,
    }


def _query(engine: Engine, name: str, since: datetime) -> QueryResult:
    sql = (_SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return engine.query(sql.format(since=f"{since:%Y-%m-%d %H:%M:%S} UTC"))


def _named(result: QueryResult) -> list[dict[str, Any]]:
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _stored_keys(engine: Engine) -> dict[str, tuple[int, int]]:
    return {key: (events, last) for key, events, last in _query(engine, "ordering_keys", _EPOCH).rows}
