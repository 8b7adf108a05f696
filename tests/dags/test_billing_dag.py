"""The billing close: seals what closes, and says why it does not."""

import pytest
from airflow_lake import DagRunner, LakeOfDags, states
from example_rooms import START_MS, finished, queued, started
from pyiceberg.expressions import EqualTo

pytestmark = pytest.mark.system

DAY = "2026-01-01"


@pytest.fixture
def billed(runner: DagRunner, lake: LakeOfDags) -> LakeOfDags:
    """A lake with two executions, both in the ledger."""
    for name in ("run-1", "run-2"):
        steps = enumerate((queued, started, finished), 1)
        lake.take(*(step(place, execution=name, at=START_MS + place * 1000) for place, step in steps))
    for table in ("executions", "usage_daily"):
        result = runner.run(f"derive_{table}")
        assert result.succeeded, result.reason
    return lake


def test_a_day_whose_counts_close_is_sealed_and_told_of_once(runner: DagRunner, billed: LakeOfDags):
    told = len(runner.told("billing_seals"))
    result = runner.run("billing_close", day=DAY)
    assert result.succeeded, result.reason
    assert billed.rows("SELECT CAST(day AS VARCHAR), executions FROM billing_seals") == [[DAY, 2]]
    assert len(runner.told("billing_seals")) == told + 1
    again = runner.run("billing_close", day=DAY)
    assert states(again) == {"reconcile": ["skipped"], "close": ["skipped"]}
    assert billed.rows("SELECT COUNT(*) FROM billing_seals") == [[1]]


@pytest.mark.parametrize("table", ["executions", "execution_outcomes"])
def test_a_row_removed_by_hand_stops_the_close_and_its_reason_reaches_people(
    table: str, runner: DagRunner, billed: LakeOfDags
):
    billed.catalog.load_table(f"rooms.{table}").delete(EqualTo("execution_id", "run-2"))
    result = runner.run("billing_close", day=DAY)
    assert states(result) == {"reconcile": ["failed"], "close": ["upstream_failed"]}
    assert "billing day 2026-01-01: not closed: " in result.reason
    assert billed.rows("SELECT COUNT(*) FROM billing_seals") == [[0]]
    (alert,) = billed.alerts()
    assert (alert.kind, alert.subject) == ("task_failed", "billing_close.reconcile")
    assert "run-2" in alert.message


def test_a_duplicate_put_into_the_events_by_hand_never_reaches_the_ledger(runner: DagRunner, billed: LakeOfDags):
    for name in ("execution_events", "execution_outcomes"):
        table = billed.catalog.load_table(f"rooms.{name}")
        table.append(table.scan(row_filter=EqualTo("execution_id", "run-1")).to_arrow())
    assert runner.run("derive_executions").succeeded
    assert billed.rows("SELECT COUNT(*), COUNT(DISTINCT execution_id) FROM executions") == [[2, 2]]
