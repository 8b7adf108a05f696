"""The gate: a table's suite judged over an interval, its verdicts stored, and an error where nothing may pass."""

import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, structs
from pyiceberg.table import Table

from iceberg.derive.interval import Interval
from iceberg.derive.marks import mark_derived
from iceberg.lake import Lake
from iceberg.quality.changes import is_judged, new_intervals
from iceberg.quality.docs import Verdict, build_docs
from iceberg.quality.errors import GateClosed
from iceberg.quality.judge import Judge, Outcome
from iceberg.quality.narrow import Search
from iceberg.quality.rows import chunks
from iceberg.quality.scope import scope_of
from iceberg.quality.store import FAILURES, RESULTS, replace_intervals
from iceberg.quality.suite import COUNT_TYPES, Severity, Suite, read_suite

Judged = list[tuple[Interval | None, list[Outcome]]]
"""Intervals and what became of each expectation there; ``None`` is the whole table."""

_TOLD: Final = 3
"""Failed expectations that an error names; the results have all."""
_NOTHING: Final = -1
"""Stands for the snapshot of a table that never had one."""
_KEPT_ROWS: Final = "SELECT row_key, value FROM quality_failures WHERE "

log = logging.getLogger(__name__)


class Result(Struct, frozen=True, kw_only=True):
    """The verdict of one expectation on one interval: a row of ``quality_results``."""

    run_id: str
    run_at: datetime
    table_name: str
    interval_start: datetime | None
    interval_end: datetime | None
    snapshot_id: int
    expectation: str
    type: str
    severity: Severity
    success: bool
    observed: str
    checked: int
    unexpected: int
    why: str
    failing_rows: str | None


class Run(Struct, frozen=True):
    """One run of a gate."""

    id: str
    at: datetime
    table: str
    snapshot_id: int
    """Of the table, that is read."""


class GateResult(Struct, frozen=True):
    """What a run of the gate said."""

    run_id: str
    table: str
    intervals: list[Interval]
    """That were judged; none where there was nothing new, or the table is judged whole."""
    rows: int
    """Rows judged."""
    results: list[Result]

    def failed(self, severity: Severity) -> list[Result]:
        """Expectations of a severity that did not hold."""
        return [one for one in self.results if one.severity == severity and not one.success]


def run_gate(lake: Lake, table: str, interval: Interval | None = None, *, docs: bool = True) -> GateResult:
    """Judge a table by its suite in ``expectations/``.

    A repeated run of an interval replaces what the earlier one stored.

    :param interval: the rows to judge. ``None``: the whole hours or days (as the table is cut) that anything was added
        to since the last such run that left the gate open; a table without times is judged whole.
    :param docs: whether to write the Data Docs pages.
    :raises GateClosed: if an expectation of severity ``block`` failed; its verdicts are stored.
    :raises WrongUseError: if the table has no suite.
    :raises CodewaveError: if the table does not exist, or an expectation cannot be judged.
    """
    lake.definition(table)
    suite, source = read_suite(table), lake.load(table)
    at = datetime.now(UTC)
    run = Run(
        f"{table}-{at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", at, table, source.metadata.current_snapshot_id or _NOTHING
    )
    intervals = [interval] if interval else _new(lake, source, at)
    if run.snapshot_id == _NOTHING or not intervals:
        return GateResult(run.id, table, [], 0, [])
    judged = [(one, _judge(lake, source, suite, one, run.snapshot_id)) for one in intervals]
    results = [_result(run, one, outcome) for one, found in judged for outcome in found]
    replace_intervals(lake, FAILURES, table, intervals, _failures(run, judged))
    replace_intervals(lake, RESULTS, table, intervals, [structs.asdict(one) for one in results])
    if docs:
        build_docs(lake, [Verdict(suite, one, run.id, at, found) for one, found in judged])
    rows = sum(max((outcome.checked for outcome in found), default=0) for _, found in judged)
    result = GateResult(run.id, table, [one for one in intervals if one], rows, results)
    _tell(result)
    if interval is None:
        mark_derived(lake, RESULTS, {table: run.snapshot_id})
    return result


def _new(lake: Lake, source: Table, now: datetime) -> Sequence[Interval | None]:
    scope = scope_of(lake.definition(source.name()[-1]))
    if scope.column is None:
        return [] if is_judged(lake, source) else [None]
    return new_intervals(lake, source, scope, now)


def _judge(lake: Lake, source: Table, suite: Suite, interval: Interval | None, snapshot_id: int) -> list[Outcome]:
    definition = lake.definition(suite.name)
    search = Search(lake, suite, interval, snapshot_id)
    narrowed = [one for one in suite.expectations if search.is_narrowed(one)]
    judged = tuple(one for one in suite.expectations if one not in narrowed)
    judge = Judge(suite, definition, judged)
    rows = 0
    wanted = scope_of(definition).filters(interval)
    computed = suite.computed(judged)
    for frame in chunks(source, wanted, suite.columns(judged), computed, snapshot_id):
        judge.rows(frame)
        rows += len(frame)
    for one in narrowed:
        found = search.suspects(one)
        judge.suspects(found.frame, one, found.rows, rows)
    return list(judge.outcomes.values())


def _result(run: Run, interval: Interval | None, outcome: Outcome) -> Result:
    expectation = outcome.expectation
    return Result(
        run_id=run.id,
        run_at=run.at,
        table_name=run.table,
        interval_start=interval.start if interval else None,
        interval_end=interval.end if interval else None,
        snapshot_id=run.snapshot_id,
        expectation=expectation.id,
        type=expectation.type,
        severity=expectation.meta.severity,
        success=outcome.success,
        observed=outcome.observed,
        checked=outcome.checked,
        unexpected=0 if expectation.type in COUNT_TYPES else outcome.unexpected,
        why=expectation.meta.why,
        failing_rows=_failing_rows(run, expectation.id, interval) if outcome.failures else None,
    )


def _failing_rows(run: Run, expectation: str, interval: Interval | None) -> str:
    asked = [f"run_id = '{run.id}'", "expectation = '{}'".format(expectation.replace("'", "''"))]
    if interval:
        asked.append(f"interval_start = TIMESTAMP '{interval.start:%Y-%m-%d %H:%M:%S}'")
    return _KEPT_ROWS + " AND ".join(asked)


def _failures(run: Run, judged: Judged) -> list[dict[str, object]]:
    return [
        {
            "run_id": run.id,
            "run_at": run.at,
            "table_name": run.table,
            "interval_start": interval.start if interval else None,
            "interval_end": interval.end if interval else None,
            "expectation": outcome.expectation.id,
            "row_key": failure.key,
            "value": failure.value,
        }
        for interval, found in judged
        for outcome in found
        for failure in outcome.failures
    ]


def _tell(result: GateResult) -> None:
    for one in result.failed("warn"):
        log.warning("quality: %s: %s: %s; %s", result.table, one.expectation, one.observed, one.why)
    blocking = result.failed("block")
    if not blocking:
        return
    told = "; ".join(f"{_place(one)}{one.expectation}: {one.observed} ({one.why})" for one in blocking[:_TOLD])
    more = f"; and {len(blocking) - _TOLD} more" if len(blocking) > _TOLD else ""
    raise GateClosed(
        f"quality: {result.table}: the gate is closed: {told}{more}; "
        f"repair the rows that `codewave quality results {result.table} --failed` shows, then run it again",
        result,
    )


def _place(one: Result) -> str:
    if one.interval_start is None or one.interval_end is None:
        return ""
    return f"{Interval(one.interval_start, one.interval_end)} "
