"""The end of a run: DAGs derive tables from what the stream stored, and the ledger is compared with what was sent."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from codewave.local.airflow import run_dags
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.truth import Truth
from iceberg.engine import local_engine
from udfs.execution import LOST

DAGS: Final = ("derived", "quality", "reliability_report")
"""What makes and checks tables; maintenance has nothing to do yet, and a billing day is closed once it is over."""

_TOTALS: Final = """
    SELECT
        outcome,
        SUM(counted) AS executions,
        COUNT(DISTINCT execution_id) AS distinct_executions,
        SUM(CASE WHEN decided_by = 'event' THEN cpu_ms ELSE 0 END) AS cpu_ms,
        SUM(CASE WHEN decided_by = 'event' THEN wall_ms ELSE 0 END) AS wall_ms
    FROM executions
    GROUP BY outcome
    ORDER BY outcome
"""


class LedgerTotals(Struct, kw_only=True):
    """What executions came to."""

    executions: dict[str, int]
    """By outcome."""
    cpu_ms: int
    wall_ms: int
    """Of those that said how they ended; of one taken for lost nobody knows."""


class LedgerComparison(Struct, kw_only=True):
    """The ledger beside what was sent."""

    ledger: LedgerTotals
    sent: LedgerTotals
    problems: list[str]
    """What differs; empty if nothing does."""


class LedgerReport(LedgerComparison, kw_only=True):
    """What became of the DAGs, and whether the ledger says what was sent."""

    dags: dict[str, float]
    """Those that ran and succeeded, with their seconds."""


def derive_and_compare(settings: LocalSettings, namespace: Namespace, truth: Truth) -> LedgerReport:
    """Run the DAGs over a namespace and compare its ledger with the truth.

    :raises CodewaveError: if Airflow itself cannot be used.
    """
    today = datetime.now(UTC).date().isoformat()
    results = run_dags(settings, DAGS, today, namespace.name)
    dags = {run.dag: run.seconds for run in results if run.succeeded}
    if problems := [f"DAG {run.dag}: {run.state}: {run.reason}" for run in results if not run.succeeded]:
        nothing = LedgerTotals(executions={}, cpu_ms=0, wall_ms=0)
        return LedgerReport(dags=dags, ledger=nothing, sent=_sent(truth), problems=problems)
    found = compare_ledger(settings, namespace, truth)
    return LedgerReport(dags=dags, ledger=found.ledger, sent=found.sent, problems=found.problems)


def compare_ledger(settings: LocalSettings, namespace: Namespace, truth: Truth) -> LedgerComparison:
    """Compare a namespace's ledger, as it is, with the truth."""
    sent = _sent(truth)
    ledger, twice = _ledger(settings, namespace)
    problems = _differences(ledger, sent)
    if twice:
        problems.append(f"ledger: {twice} executions are in it twice")
    return LedgerComparison(ledger=ledger, sent=sent, problems=problems)


def _sent(truth: Truth) -> LedgerTotals:
    executions = dict(truth.finished)
    if truth.unfinished:
        executions[LOST] = executions.get(LOST, 0) + truth.unfinished
    return LedgerTotals(executions=executions, cpu_ms=truth.cpu_ms, wall_ms=truth.wall_ms)


def _ledger(settings: LocalSettings, namespace: Namespace) -> tuple[LedgerTotals, int]:
    rows = local_engine(settings, namespace.name).query(_TOTALS).rows
    totals = LedgerTotals(
        executions={outcome: executions for outcome, executions, *_ in rows},
        cpu_ms=sum(cpu_ms for *_, cpu_ms, _ in rows),
        wall_ms=sum(wall_ms for *_, wall_ms in rows),
    )
    return totals, sum(executions - distinct for _, executions, distinct, *_ in rows)


def _differences(ledger: LedgerTotals, sent: LedgerTotals) -> list[str]:
    found = [
        f"ledger: {ledger.executions.get(outcome, 0)} executions {outcome}, {sent.executions.get(outcome, 0)} sent"
        for outcome in sorted(ledger.executions.keys() | sent.executions.keys())
        if ledger.executions.get(outcome, 0) != sent.executions.get(outcome, 0)
    ]
    if ledger.cpu_ms != sent.cpu_ms:
        found.append(f"ledger: {ledger.cpu_ms} ms of CPU, {sent.cpu_ms} sent")
    if ledger.wall_ms != sent.wall_ms:
        found.append(f"ledger: {ledger.wall_ms} ms elapsed, {sent.wall_ms} sent")
    return found
